"""HAProxy: one lookup of host and path in a prefix map (a tree)."""

import socket

import routes

CONFIGURATION = "haproxy.cfg"
UNABLE = {"udp": "HAProxy has no proxy for UDP"}
SHARED_PORTS = {}


def command(setting):
    folder = setting.folder
    pem = folder / "certificate.pem"
    pem.write_text(setting.certificate.read_text() + setting.key.read_text())
    (folder / "routes.map").write_text("".join(f"{entry}\n" for entry in _entries(setting)))
    (folder / CONFIGURATION).write_text(_configuration(setting, pem))
    return ["haproxy", "-db", "-f", str(folder / CONFIGURATION)]


def replace_routes(setting, _process):
    """Over its socket, as controllers do: nothing is started anew."""
    path = setting.folder / "routes.map"
    _tell(setting, f"clear map {path}")
    entries = list(_entries(setting))
    for start in range(0, len(entries), 100):
        _tell(setting, "; ".join(f"add map {path} {entry}" for entry in entries[start : start + 100]))


def _tell(setting, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(setting.folder / "socket"))
        connection.sendall(f"{line}\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode().strip()
    if answer:
        raise RuntimeError(f"haproxy: {answer}")


def _entries(setting):
    """Of the map: host and path prefix, before them the value of a header if it matters."""
    yield f"{routes.WEBSOCKET}/ app"
    yield f"{routes.GRPC}/{routes.GRPC_SERVICE}/ http2"
    yield f"{routes.H2C}/ http2"
    for host, prefix in setting.routes.rules():
        backend = "filtered" if setting.routes.kind == "filters" else "app"
        yield f"{host}{prefix} {backend}"
        if setting.routes.kind == "headers":
            yield f"{routes.CANARY_HEADER[1]}/{host}{prefix} canary"


def _configuration(setting, pem):
    folder, ports, backend = setting.folder, setting.ports, setting.backend
    name, value = routes.SET_HEADER
    answer_name, answer_value = routes.ANSWER_HEADER
    entries = folder / "routes.map"
    by_header = (
        f"""http-request set-var(txn.base) base
    use_backend %[req.hdr({routes.CANARY_HEADER[0]}),concat(/,txn.base),map_beg({entries})] if {{ req.hdr({routes.CANARY_HEADER[0]}) -m str {routes.CANARY_HEADER[1]} }}"""
        if setting.routes.kind == "headers"
        else ""
    )
    return f"""global
    nbthread {setting.workers}
    maxconn 12000
    # Two descriptors for each would be more than a shell may allow; idle connections need one.
    no strict-limits
    stats socket {folder}/socket level admin
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout tunnel 600s
    timeout http-keep-alive 600s
    option http-keep-alive
    http-reuse always
frontend http
    bind 127.0.0.1:{ports.http}
    bind 127.0.0.1:{ports.h2c} proto h2
    bind 127.0.0.1:{ports.https} ssl crt {pem} alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    {by_header}
    use_backend %[base,map_beg({entries},none)]
backend none
    http-request return status 404
backend app
    server app 127.0.0.1:{backend.http} pool-max-conn -1
backend canary
    server canary 127.0.0.1:{backend.canary} pool-max-conn -1
backend http2
    server app 127.0.0.1:{backend.http} proto h2 pool-max-conn -1
backend filtered
    http-request set-header {name} {value}
    http-request del-header {routes.REMOVED_HEADER}
    http-request replace-path /service-[0-9]+/(.*) {routes.REWRITTEN}\\1
    http-response set-header {answer_name} {answer_value}
    server app 127.0.0.1:{backend.http} pool-max-conn -1
frontend tcp
    mode tcp
    option splice-auto
    bind 127.0.0.1:{ports.tcp}
    default_backend tcp
backend tcp
    mode tcp
    option splice-auto
    server app 127.0.0.1:{backend.http}
frontend passthrough
    mode tcp
    option splice-auto
    bind 127.0.0.1:{ports.passthrough}
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    use_backend passthrough if {{ req.ssl_sni {routes.PASSTHROUGH} }}
backend passthrough
    mode tcp
    option splice-auto
    server app 127.0.0.1:{backend.https}
"""
