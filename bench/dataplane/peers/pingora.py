"""A bare pingora-proxy (bench/pingora): every request goes to the backend, it has no routes."""

import os
import pathlib


CONFIGURATION = None
UNABLE = {
    "tcp": "pingora-proxy is for HTTP",
    "passthrough": "pingora-proxy is for HTTP",
    "udp": "pingora-proxy is for HTTP",
    "routes": "it has no routes",
}
SHARED_PORTS = {}

BINARY = pathlib.Path(__file__).resolve().parents[2] / "pingora/target/release/bare-pingora"


def command(setting):
    ports = setting.ports
    listen = [f"127.0.0.1:{port}" for port in (ports.http, ports.https, ports.h2c)]
    return [
        os.environ.get("PINGORA", str(BINARY)),
        *listen,
        f"127.0.0.1:{setting.backend.http}",
        str(setting.certificate),
        str(setting.key),
        str(setting.workers),
    ]


replace_routes = None
