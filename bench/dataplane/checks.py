"""Correctness before speed: what a proxy must answer before it is measured."""

import socket
import ssl
import subprocess
import time

import routes

# A proxy with 5,000 routes takes a while to have them, in seconds.
PATIENCE = 300


class Wrong(Exception):
    """A proxy does not do what it was told to."""


def wait_until_ready(target):
    """Until every kind of rule is served; it fails when that takes too long or the proxy ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return check(target)
        except (Wrong, OSError) as error:
            if target.process.poll() is not None or time.monotonic() > deadline:
                log = (target.setting.folder / "log").read_text()[-1500:]
                raise Wrong(f"{error}\n{log}") from error
        time.sleep(0.05)


def check(target):
    """Bodies, routing, filters and forwarding headers over clear text and TLS; 404 elsewhere."""
    rules = target.setting.routes.rules()
    for secure in (False, True):
        for host, prefix in (rules[0], rules[len(rules) // 2], rules[-1]):
            expect(target, host, f"{prefix}b1024", secure, 200, 1024)
            seen = echo(target, host, prefix, secure)
            scheme = "https" if secure else "http"
            # Envoy says its own address instead of a loopback client's.
            must("x-forwarded-for: " in seen, f"no X-Forwarded-For in {seen}")
            must(f"x-forwarded-proto: {scheme}" in seen, f"no X-Forwarded-Proto in {seen}")
            if target.name != "pingora":
                check_kind(target, host, prefix, secure, seen)
        if target.name != "pingora":
            expect(target, f"elsewhere.{routes.DOMAIN}", "/b1024", secure, 404)


def check_kind(target, host, prefix, secure, seen):
    kind = target.setting.routes.kind
    if kind == "headers":
        name, value = routes.CANARY_HEADER
        _, head, _ = get(target, host, f"{prefix}echo", secure, f"{name}: {value}\r\n")
        must("x-backend: canary" in head, "the header did not choose the backend")
    if kind == "filters":
        removed = routes.REMOVED_HEADER
        _, head, body = get(target, host, f"{prefix}echo", secure, f"{removed}: yes\r\n")
        body = body.lower()
        must(f"{removed}:" not in body, f"{removed} was not removed")
        must(": ".join(routes.SET_HEADER) in body, "no header was set")
        must(f"get {routes.REWRITTEN}echo" in body, "the path was not rewritten")
        must(": ".join(routes.ANSWER_HEADER) in head, "no header of the answer was set")
    elif kind != "hosts":
        must(f"get {prefix}echo" in seen, "another path came through")
        expect(target, host, "/no-such-prefix/b0", secure, 404)


def check_grpc(target):
    """The status of a call is in trailers, which h2load does not look at."""
    message = target.setting.folder / "check-message"
    message.write_bytes(b"\0\0\0\0\5hello")
    port = target.port("h2c")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "10", "--http2-prior-knowledge",
         "--connect-to", f"::127.0.0.1:{port}", "--header", "content-type: application/grpc",
         "--header", "te: trailers", "--data-binary", f"@{message}", "--dump-header", "-",
         "--output", "/dev/null", f"http://{routes.GRPC}/{routes.GRPC_SERVICE}/Unary"],
        capture_output=True, text=True,
    )  # fmt: skip
    must("grpc-status: 0" in done.stdout, f"no grpc-status: 0\n{done.stdout}{done.stderr}")


def expect(target, host, path, secure, status, length=None):
    found, _, body = get(target, host, path, secure)
    what = f"{host}{path} (TLS: {secure})"
    must(found == status, f"{found} instead of {status} for {what}")
    must(length is None or len(body) == length, f"{len(body)} bytes instead of {length} for {what}")


def echo(target, host, prefix, secure):
    """The request as the backend saw it, in small letters."""
    _, _, body = get(target, host, f"{prefix}echo", secure)
    return body.lower()


def must(holds, otherwise):
    if not holds:
        raise Wrong(otherwise)


def get(target, host, path, secure, fields=""):
    """Status, head in small letters and body, of one request on a connection of its own."""
    port = target.port("https" if secure else "http")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        if secure:
            context = ssl.create_default_context(cafile=target.setting.certificate)
            connection = context.wrap_socket(connection, server_hostname=host)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    must(answer.startswith("HTTP/1.1 "), f"no answer: {answer!r}")
    head, _, body = answer.partition("\r\n\r\n")
    head = head.lower()
    if "transfer-encoding: chunked" in head:
        body = "".join(body.split("\r\n")[1::2])
    return int(head.split()[1]), head, body
