"""Proxies that run, and the backend behind them."""

import dataclasses
import pathlib
import socket
import subprocess
import time

import checks
import loads
import peers
import processes
from peers import envoy, haproxy, nginx, pingora, portcullis
from routes import Routes

MODULES = {
    "nginx": nginx,
    "haproxy": haproxy,
    "envoy": envoy,
    "pingora": pingora,
    "portcullis": portcullis,
}
NAMES = ("nginx", "haproxy", "envoy", "pingora", "portcullis")


@dataclasses.dataclass
class Target:
    """One running proxy."""

    name: str
    setting: peers.Setting
    process: subprocess.Popen

    @property
    def module(self):
        return MODULES[self.name]

    @property
    def pid(self):
        return self.process.pid

    def port(self, kind):
        return getattr(self.setting.ports, self.module.SHARED_PORTS.get(kind, kind))

    def ended(self):
        return self.process.poll() is not None


@dataclasses.dataclass(frozen=True)
class Place:
    """What all proxies of a run have in common."""

    folder: pathlib.Path
    backend: peers.Backend
    certificate: pathlib.Path
    key: pathlib.Path

    def start(self, stack, name, routes, workers=1):
        """Does not wait until it serves."""
        folder = self.folder / f"{name}-{routes}-{workers}-{time.monotonic_ns()}"
        folder.mkdir()
        ports = peers.Ports(*processes.free_ports(len(dataclasses.fields(peers.Ports))))
        setting = peers.Setting(
            folder, routes, workers, ports, self.backend, self.certificate, self.key
        )
        place = processes.on_core_of_proxies if workers == 1 else loads.anywhere
        command = place(MODULES[name].command(setting))
        return Target(name, setting, processes.spawn(stack, folder, command))

    def example(self, name):
        """The configuration of one route on the usual ports: name, setting and file."""
        folder = self.folder / f"{name}-example"
        folder.mkdir()
        ports = peers.Ports(http=80, https=443, h2c=81, tcp=9000, passthrough=8443, udp=9001)
        backend = peers.Backend(http=8000, canary=8001, https=8002, udp=8003)
        setting = peers.Setting(
            folder, Routes("hosts", 1), 1, ports, backend, self.certificate, self.key
        )
        MODULES[name].command(setting)
        return name, setting, MODULES[name].CONFIGURATION


def prepare(stack, folder):
    """A certificate and a backend that serves."""
    folder.mkdir(parents=True)
    certificate, key = make_certificate(folder)
    backend = peers.Backend(*processes.free_ports(len(dataclasses.fields(peers.Backend))))
    listen = [
        argument
        for kind, port in dataclasses.asdict(backend).items()
        for argument in (f"--{kind}", f"127.0.0.1:{port}")
    ]
    command = [loads.BENCH_LOAD, "backend", *listen, "--certificate", certificate, "--key", key]
    process = processes.spawn(stack, folder / "backend", processes.on_other_cores(command))
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", backend.https), timeout=1).close()
            return Place(folder, backend, certificate, key)
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise checks.Wrong((folder / "backend/log").read_text()) from None
            time.sleep(0.05)


def make_certificate(folder):
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "30", "-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:*.bench.example",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
