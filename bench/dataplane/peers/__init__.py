"""The proxies under test: how each is told to do the same, in its own best idiom.

All of them: as many workers as asked for, HTTP/1.1 and HTTP/2 by ALPN over TLS 1.3 with the same
certificate, the same routes to one backend, connections to it kept, `X-Forwarded-For` and
`X-Forwarded-Proto` set, no access log, nothing but a 404 where there is no route.

A module has `command(setting)`, which writes the configuration and tells how to start;
`CONFIGURATION`, the name of its main file; `UNABLE`, what it cannot do by the kind of port, and why;
`SHARED_PORTS`, kinds of ports that are another's; `replace_routes(setting, process)`, which changes
the routes of the running process, or None.
"""

import dataclasses
import pathlib

from routes import Routes

# For limits that must not be met.
MANY = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Ports:
    """Where a proxy listens, or the backend behind it."""

    http: int
    https: int
    h2c: int
    tcp: int
    passthrough: int
    udp: int


@dataclasses.dataclass(frozen=True)
class Backend:
    """HTTP/1.1 and HTTP/2 are on one port."""

    http: int
    canary: int
    https: int
    udp: int


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one proxy process is to do."""

    folder: pathlib.Path  # its own, for configuration and logs
    routes: Routes
    workers: int
    ports: Ports
    backend: Backend
    certificate: pathlib.Path
    key: pathlib.Path


def write_at_once(path, text):
    """Replaces a file by renaming, so that whoever watches it never sees half of it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.rename(path)
