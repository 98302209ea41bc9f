"""Loads: a number of exchanges, one after the other, byte for byte the same on every machine.

Each load is a function of the ports and the number of exchanges. It opens its own connections, and
fails on any answer that is not the right one.
"""

import os
import pathlib
import socket

import backends
import http2
import manifests

CALL = [(":method", "POST"), (":scheme", "http"), (":path", "/bench.Echo/Call"),
        (":authority", manifests.GRPC_HOST), ("content-type", "application/grpc"), ("te", "trailers"),
        ("user-agent", "bench")]  # fmt: skip
FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
}
STREAMS = 16


class Wrong(Exception):
    """An answer that is not what the load asks for."""


def pin_tls(folder: pathlib.Path):
    """What OpenSSL's releases differ in. To be called before anything imports `ssl`."""
    configuration = folder / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = pinned\n"
        "[pinned]\nGroups = X25519\nCiphersuites = TLS_AES_128_GCM_SHA256\nMinProtocol = TLSv1.3\n"
    )
    os.environ["OPENSSL_CONF"] = str(configuration)


def http(ports, count):
    _one_at_a_time(_connect(ports["http"]), _get(manifests.HOST, "/service-1250/item"), count)


def http_paths(ports, count):
    _one_at_a_time(_connect(ports["http"]), _get(manifests.ONE_HOST, "/service-1250/item"), count)


def http_large(ports, count):
    request = _get(manifests.HOST, "/service-1250" + backends.LARGE)
    _one_at_a_time(_connect(ports["http"]), request, count, backends.LARGE_BODY)


def http_filtered(ports, count):
    more = {"X-User": "user-42", "X-Version": "v9", "X-Remove": "me"}
    _one_at_a_time(_connect(ports["http"]), _get(manifests.FILTERED_HOST, "/filtered/item", more), count)


def http_body(ports, count):
    """A request with 1 KiB to the backend."""
    request = _head("POST", manifests.HOST, "/service-1250/item", {"Content-Length": "1024"})
    _one_at_a_time(_connect(ports["http"]), request + backends.BODY, count)


def http_connections(ports, count):
    """A connection for each request."""
    for _ in range(count):
        _one_at_a_time(_connect(ports["http"]), _get(manifests.HOST, "/service-1250/item"), 1)


def tls(ports, count):
    _one_at_a_time(_connect_tls(ports, "http/1.1"), _get(manifests.HOST, "/service-1250/item"), count)


def tls_connections(ports, count):
    """A full handshake, with a request: a gateway that is asked nothing may not have finished it."""
    for _ in range(count):
        _one_at_a_time(_connect_tls(ports, "http/1.1"), _get(manifests.HOST, "/service-1250/item"), 1)


def h2(ports, count):
    client = Http2(_connect_tls(ports, "h2"))
    client.ask(count, 1, _h2_fields(), b"")


def h2_streams(ports, count):
    """Requests by the handful: what one read and one write can do for many."""
    client = Http2(_connect_tls(ports, "h2"))
    client.ask(count, STREAMS, _h2_fields(), b"")


def h2_large(ports, count):
    """Answers of 64 KiB, some at once: the client reads as fast as it can."""
    client = Http2(_connect_tls(ports, "h2"))
    client.ask(count, 4, _h2_fields(backends.LARGE), b"")


def tls_large(ports, count):
    request = _get(manifests.HOST, "/service-1250" + backends.LARGE)
    _one_at_a_time(_connect_tls(ports, "http/1.1"), request, count, backends.LARGE_BODY)


def grpc(ports, count):
    client = Http2(_connect(ports["http"]))
    client.ask(count, 1, CALL, backends.MESSAGE)


def tcp(ports, count):
    """A message of 16 KiB there and back."""
    message = backends.BODY * 16
    with _connect(ports["tcp"]) as connection:
        for _ in range(count):
            connection.sendall(message)
            if _receive(connection, len(message)) != message:
                raise Wrong("TCP: other bytes came back")


def tcp_connections(ports, count):
    message = backends.BODY * 16
    for _ in range(count):
        with _connect(ports["tcp"]) as connection:
            connection.sendall(message)
            if _receive(connection, len(message)) != message:
                raise Wrong("TCP: other bytes came back")


def udp(ports, count):
    """A datagram there and back, in one session."""
    datagram = backends.BODY[:512]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", ports["udp"]))
        client.settimeout(30)
        for _ in range(count):
            client.send(datagram)
            if client.recv(2048) != datagram:
                raise Wrong("UDP: another datagram came back")


# --- HTTP/1.1


def _get(host, path, more=()):
    return _head("GET", host, path, dict(more))


def _head(method, host, path, more):
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**FIELDS, **more}.items())
    return f"{method} {path}?page=1 HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()


def _one_at_a_time(connection, request, count, body=backends.BODY):
    with connection:
        for _ in range(count):
            connection.sendall(request)
            received = bytearray()
            while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + len(body):
                more = connection.recv(262144)
                received += more
                if not more or not received.startswith(b"HTTP/1.1 200 "):
                    raise Wrong(f"not a whole 200: {bytes(received[:300])}")
            if received[end + 4 :] != body:
                raise Wrong("not the right body")


# --- HTTP/2


def _h2_fields(path="/item"):
    own = {":method": "GET", ":scheme": "https", ":authority": manifests.HOST}
    lower = {name.lower(): value for name, value in FIELDS.items()}
    return [*own.items(), (":path", f"/service-1250{path}?page=1"), *lower.items()]


class Http2:
    """A client's connection."""

    def __init__(self, connection):
        self.connection = connection
        self.frames = http2.Frames()
        self.encoder = http2.Encoder()
        self.next_stream = 1
        connection.sendall(http2.PREFACE + http2.opening())

    def ask(self, count, together, fields, body):
        """`count` requests, `together` of them sent at once and then awaited."""
        with self.connection:
            for _ in range(count // together):
                self.connection.sendall(b"".join(self._request(fields, body) for _ in range(together)))
                self._await_answers(together)

    def _request(self, fields, body):
        stream = self.next_stream
        self.next_stream += 2
        block = self.encoder.encode(fields)
        flags = http2.END_HEADERS | (0 if body else http2.END_STREAM)
        head = http2.frame(http2.HEADERS, flags, stream, block)
        return head + (http2.frame(http2.DATA, http2.END_STREAM, stream, body) if body else b"")

    def _await_answers(self, awaited):
        begun = set()
        while awaited:
            received = self.connection.recv(262144)
            if not received:
                raise Wrong("HTTP/2: the connection ended")
            for kind, flags, stream, payload in self.frames.add(received):
                if answer := http2.acknowledgement(kind, flags, payload):
                    self.connection.sendall(answer)
                if kind in (http2.RST_STREAM, http2.GOAWAY):
                    raise Wrong(f"HTTP/2: frame {kind} on stream {stream}: {payload}")
                if kind == http2.HEADERS and stream not in begun:
                    begun.add(stream)
                    if not http2.status_is_200(payload):
                        raise Wrong(f"HTTP/2: not a 200: {payload}")
                if kind in (http2.HEADERS, http2.DATA) and flags & http2.END_STREAM:
                    awaited -= 1


# --- connections


def _connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _connect_tls(ports, protocol):
    import ssl  # not before `pin_tls`

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ports["certificate"])
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(_connect(ports["https"]), server_hostname=manifests.HOST)


def _receive(connection, length):
    received = bytearray()
    while len(received) < length:
        more = connection.recv(length - len(received))
        if not more:
            raise Wrong(f"the connection ended after {len(received)} of {length} bytes")
        received += more
    return received
