"""What is behind the gateway: answers that never differ by a byte, each written at once."""

import asyncio
import multiprocessing
import re

import http2
import manifests

BODY = (b"portcullis counts instructions. " * 32)[:1024]
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
)
MESSAGE = b"\0\0\0\0\x40" + 64 * b"m"  # a gRPC message of 64 bytes
LARGE = "/large"
LARGE_BODY = 64 * BODY


class Http(asyncio.Protocol):
    """HTTP/1.1: 1 KiB, or 64 KiB on paths that end in /large; requests' bodies must have a length."""

    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()

    def data_received(self, received):
        self.received += received
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end])
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            del self.received[:whole]
            body = LARGE_BODY if LARGE.encode() in head.split(b" ")[1] else BODY
            self.transport.write(ANSWER % (len(body), body))


class Calls(asyncio.Protocol):
    """HTTP/2 with prior knowledge: every request is answered as a gRPC call."""

    def connection_made(self, transport):
        self.transport = transport
        self.frames = http2.Frames()
        self.encoder = http2.Encoder()
        self.preface = len(http2.PREFACE)
        transport.write(http2.opening())

    def data_received(self, received):
        skipped = min(self.preface, len(received))
        self.preface -= skipped
        for kind, flags, stream, payload in self.frames.add(received[skipped:]):
            answer = http2.acknowledgement(kind, flags, payload)
            if kind in (http2.HEADERS, http2.DATA) and flags & http2.END_STREAM:
                answer += self.answer(stream)
            if answer:
                self.transport.write(answer)

    def answer(self, stream):
        head = http2.STATUS_200 + self.encoder.encode([("content-type", "application/grpc")])
        trailers = self.encoder.encode([("grpc-status", "0")])
        return (
            http2.frame(http2.HEADERS, http2.END_HEADERS, stream, head)
            + http2.frame(http2.DATA, 0, stream, MESSAGE)
            + http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, trailers)
        )


class Echo(asyncio.Protocol):
    """TCP: what comes goes back, once there is a message of it."""

    message = 16384

    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()

    def data_received(self, received):
        self.received += received
        while len(self.received) >= self.message:
            self.transport.write(bytes(self.received[: self.message]))
            del self.received[: self.message]


class Datagrams(asyncio.DatagramProtocol):
    """UDP: what comes goes back."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


def start():
    """Starts them in a process of their own; it, and their ports."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_run, args=(there,), daemon=True)
    process.start()
    return process, manifests.Backends(**here.recv())


def _run(pipe):
    asyncio.run(_serve(pipe))


async def _serve(pipe):
    loop = asyncio.get_running_loop()
    ports, servers = {}, []
    for name, protocol in {"http": Http, "h2c": Calls, "tcp": Echo}.items():
        servers.append(await loop.create_server(protocol, "127.0.0.1", 0))
        ports[name] = servers[-1].sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
    ports["udp"] = transport.get_extra_info("sockname")[1]
    pipe.send(ports)
    await asyncio.Event().wait()
