"""What is measured, as a list."""

import dataclasses
import fnmatch
import os

import loads
import routes
from loads import H2load, Own
from routes import Routes

# What most scenarios run with: a gateway that serves many.
MANY_HOSTS = Routes("hosts", 5000)
# Per second, for latency; about half of what the slowest proxy can do at all.
RATE = 8000
KIB = 1024
MIB = 1024 * KIB


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One load on every proxy that can take it."""

    id: str
    group: str
    title: str
    load: H2load | Own
    unit: str = "request"
    routes: Routes = MANY_HOSTS
    workers: int = 1
    idle: int = 0  # connections
    rounds: int | None = None  # instead of ROUNDS
    needs: str | None = None  # what a proxy must be able to do, beyond the port
    note: str | None = None

    def facts(self):
        """As it is in the results."""
        options = self.load.options if isinstance(self.load, Own) else {"connections": self.load.clients}
        connections = next(
            (options[name] for name in ("concurrency", "connections", "flows") if options.get(name)), None
        )  # fmt: skip
        return {
            "id": self.id,
            "group": self.group,
            "title": self.title,
            "unit": self.unit,
            "load": self.load.describe(),
            "routes": dataclasses.asdict(self.routes),
            "workers": self.workers,
            "connections": connections,
            "body_bytes": getattr(self.load, "grpc_message", None) or options.get("size", self.load.body),
            "rate": options.get("rate"),
            "idle_connections": self.idle,
            "note": self.note,
        }


def http(count, body, port="https", **more):
    """HTTP/1.1 by h2load."""
    return H2load(port, count, body, clients=32, **more)


def http2(count, body, port="https", **more):
    return H2load(port, count, body, clients=8, streams=16, http1=False, **more)


def new(port, count, **more):
    """HTTP/1.1 on new connections, four at a time: a client keeps no more than eight tickets."""
    options = {"concurrency": 4, "connections": count} | more.pop("options", {})
    return Own("connections", port, options, "connections", body=0, **more)


def steady(port, count, body=KIB, **more):
    """HTTP/1.1 by our own load on 32 connections that never rest."""
    options = {"connections": 32, "requests": count} | more.pop("options", {})
    return Own("http", port, options, "requests", body=body, **more)


def paced(command, port, connections, secure):
    # Of a second each: pauses of the machine last as long as many requests, so that few long rounds say
    # more of the machine than of the proxies.
    options = {"connections": connections, "rate": RATE, "requests": RATE}
    return Own(command, port, options, "requests", body=KIB, secure=secure)


def transfers(port, count, **more):
    """Bodies of 1 MiB on four connections, counted as MiB."""
    return Own("http", port, {"connections": 4, "requests": count}, "requests", body=MIB, **more)


def datagrams(size):
    # What is on its way fits into a socket's receive buffer of the usual size.
    options = {"flows": 16, "window": 3, "size": size, "datagrams": 20000}
    return Own("udp", "udp", options, "datagrams", body=size)


PASSED = {"host": routes.PASSTHROUGH, "secure": True}
ANY = {"host": routes.PASSTHROUGH}
GRPC_PATH = f"/{routes.GRPC_SERVICE}/"

SCENARIOS = [
    Scenario("http-1k", "http1", "HTTP/1.1 keep-alive, 1 KiB", http(20000, KIB, "http")),
    Scenario("http-new", "http1", "HTTP/1.1, a connection for each request", new("http", 5000),
             unit="connection"),
    Scenario("tls-1k", "tls", "HTTP/1.1 over TLS keep-alive, 1 KiB", http(20000, KIB)),
    Scenario("tls-full", "tls", "TLS full handshakes, each with a request",
             new("https", 1200, secure=True), unit="connection"),
    Scenario("tls-resumed", "tls", "TLS resumed handshakes, each with a request",
             new("https", 1500, secure=True, options={"resume": True}), unit="connection"),
    Scenario("h2-1k", "http2", "HTTP/2 over TLS, many streams, 1 KiB", http2(20000, KIB)),
    Scenario("h2c-1k", "http2", "HTTP/2 to HTTP/2, clear text, 1 KiB",
             http2(12000, KIB, "h2c", host=routes.H2C, path="/b1024")),
    Scenario("grpc-unary", "grpc", "gRPC unary, messages of 100 bytes",
             http2(12000, 0, "h2c", host=routes.GRPC, path=f"{GRPC_PATH}Unary", grpc_message=105)),
    Scenario("grpc-stream", "grpc", "gRPC streams, messages of 100 bytes",
             Own("grpc", "h2c", {"connections": 8, "streams": 4, "size": 100, "messages": 16000},
                 "messages", host=routes.GRPC, path=f"{GRPC_PATH}Stream"), unit="message"),
    Scenario("websocket-1k", "streams", "WebSocket messages of 1 KiB",
             Own("websocket", "http", {"connections": 32, "size": KIB, "messages": 20000}, "messages",
                 host=routes.WEBSOCKET, path="/echo"), unit="message"),
    Scenario("tcp-1m", "streams", "TCP, 1 MiB at a time", transfers("tcp", 600, **ANY), unit="MiB"),
    Scenario("tcp-1k", "streams", "TCP, round trips of 1 KiB", steady("tcp", 20000, **ANY),
             unit="message"),
    Scenario("tcp-new", "streams", "TCP, new connections with a round trip",
             new("tcp", 5000, **ANY), unit="connection"),
    Scenario("passthrough-1m", "streams", "TLS passed through, 1 MiB at a time",
             transfers("passthrough", 300, **PASSED), unit="MiB"),
    Scenario("passthrough-1k", "streams", "TLS passed through, round trips of 1 KiB",
             steady("passthrough", 15000, **PASSED), unit="message"),
    Scenario("udp-200", "streams", "UDP, datagrams of 200 bytes there and back", datagrams(200),
             unit="datagram"),
    Scenario("udp-1200", "streams", "UDP, datagrams of 1,200 bytes there and back", datagrams(1200),
             unit="datagram"),
    Scenario("latency-http", "latency", "HTTP/1.1 at a fixed rate, 1 KiB",
             paced("http", "http", 64, secure=False)),
    Scenario("latency-tls", "latency", "HTTP/1.1 over TLS at a fixed rate, 1 KiB",
             paced("http", "https", 64, secure=True)),
    Scenario("latency-h2", "latency", "HTTP/2 over TLS at a fixed rate, 1 KiB",
             paced("http2", "https", 8, secure=True)),
    Scenario("http-0", "bodies", "HTTP/1.1, no body", http(20000, 0, "http")),
    Scenario("http-64k", "bodies", "HTTP/1.1, 64 KiB", http(4000, 64 * KIB, "http")),
    Scenario("http-1m", "bodies", "HTTP/1.1, 1 MiB", http(400, MIB, "http")),
    Scenario("tls-0", "bodies", "HTTP/1.1 over TLS, no body", http(15000, 0)),
    Scenario("tls-64k", "bodies", "HTTP/1.1 over TLS, 64 KiB", http(3000, 64 * KIB)),
    Scenario("tls-1m", "bodies", "HTTP/1.1 over TLS, 1 MiB", http(300, MIB)),
    Scenario("h2-0", "bodies", "HTTP/2 over TLS, no body", http2(15000, 0)),
    Scenario("h2-64k", "bodies", "HTTP/2 over TLS, 64 KiB", http2(3000, 64 * KIB)),
    Scenario("h2-1m", "bodies", "HTTP/2 over TLS, 1 MiB", http2(300, MIB)),
    *[
        Scenario(f"idle-{count}", "idle", f"HTTP/1.1 beside {count:,} idle connections",
                 steady("http", 15000), idle=count, rounds=3)
        for count in (10, 1000, 10000)
    ],
    *[
        Scenario(f"routes-{kind}-{count}", "routes", title, steady("http", 15000, header=header),
                 routes=Routes(kind, count), needs="routes",
                 note="100 routes are asked for in turn" if count > 1 else None)
        for kind, count, title, header in [
            ("hosts", 1, "1 route", None),
            ("hosts", 1000, "1,000 routes by host", None),
            ("hosts", 5000, "5,000 routes by host", None),
            ("paths", 1000, "1,000 routes by path on one host", None),
            ("paths", 5000, "5,000 routes by path on one host", None),
            ("headers", 1000, "1,000 routes with a header match each", "x-env: canary"),
            ("filters", 1000, "1,000 routes with header and path filters", "x-debug: yes"),
        ]
    ],
    *[
        Scenario(f"workers-{workers}-{name}", "workers", f"{title}, workers: {workers}",
                 dataclasses.replace(load, place=loads.anywhere), workers=workers, rounds=3,
                 routes=Routes("hosts", 1000),
                 note="proxy, load and backend share all cores")
        for workers in (1, 2)
        for name, title, load in [
            ("http", "HTTP/1.1", http(20000, KIB, "http")),
            ("tls", "HTTP/1.1 over TLS", http(20000, KIB)),
            ("h2", "HTTP/2 over TLS", http2(20000, KIB)),
        ]
    ],
]  # fmt: skip


def selected():
    """Those that SCENARIOS names, by id or group, with wildcards."""
    patterns = os.environ.get("SCENARIOS", "*").split()
    return [
        scenario
        for scenario in SCENARIOS
        if any(
            fnmatch.fnmatch(scenario.id, pattern) or scenario.group == pattern
            for pattern in patterns
        )
    ]
