"""The loads: h2load, and our own bench-load for what it cannot. Each tells what it did, exactly.

A load's `run(target, requested)` gives a `Done`; it raises `Failure` unless all succeeded.
"""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import measure
import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH_LOAD = os.environ.get("BENCH_LOAD", str(ROOT / "target/release/bench-load"))
# No load may take longer, in seconds.
PATIENCE = 120
# What a proxy still does after the last answer, such as closing connections, takes less.
REST = 0.03
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


class Failure(Exception):
    """Not everything that was asked for succeeded."""


@dataclasses.dataclass(frozen=True)
class Done:
    """What a load did and what the proxy spent on it."""

    count: int
    bytes: int
    wall: float
    cpu: measure.Cpu
    latency: dict | None = None


def anywhere(command):
    """Where the proxy has more workers than a core of its own, all share all cores."""
    return command


@dataclasses.dataclass(frozen=True)
class H2load:
    """Requests by h2load as fast as they go, less what a request on each connection costs."""

    port: str
    count: int
    body: int
    clients: int
    streams: int = 1
    http1: bool = True
    host: str | None = None
    path: str = "/"
    grpc_message: int | None = None  # bytes, with the prefix; the answer has as many
    place: callable = processes.on_other_cores

    def describe(self):
        return f"h2load, {self.clients} connections" + (
            "" if self.http1 else f" with {self.streams} streams each"
        )

    def tiny(self):
        return dataclasses.replace(self, count=self.clients * 3)

    def scaled(self, divisor):
        return dataclasses.replace(self, count=max(self.count // divisor, self.clients * 3))

    def run(self, target, requested):
        setup, *_ = self._once(target, requested, self.clients)
        whole, wall = self._once(target, requested, self.count)
        count = self.count - self.clients
        length = self.grpc_message or self.body
        return Done(count, count * length, wall * count / self.count, whole - setup)

    def _once(self, target, requested, count):
        """CPU and wall time of `count` requests, of which all succeed with whole bodies."""
        before = measure.cpu(target.pid)
        out = self._output(self._command(target, requested, count))
        time.sleep(REST)
        spent = measure.cpu(target.pid) - before
        data = count * (self.grpc_message or self.body)
        if f"status codes: {count} 2xx" not in out or f"({data}) data" not in out:
            raise Failure(f"h2load: not every answer was whole and a success\n{out[-1500:]}")
        duration, unit = re.search(r"finished in ([\d.]+)(us|ms|s)", out).groups()
        return spent, float(duration) * UNITS[unit]

    def _command(self, target, requested, count):
        secure = self.port in ("https", "passthrough")
        scheme = "https" if secure else "http"
        if self.host:
            uris = [f"{scheme}://{self.host}{self.path}"]
        else:
            host, _ = requested[0]
            uris = [f"{scheme}://{host}{prefix}b{self.body}" for at, prefix in requested if at == host]
        file = target.setting.folder / "uris"
        file.write_text("".join(f"{uri}\n" for uri in uris))
        command = ["h2load", "--threads=1", f"--requests={count}", f"--clients={self.clients}",
                   f"--input-file={file}", f"--connect-to=127.0.0.1:{target.port(self.port)}",
                   "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519"]  # fmt: skip
        if self.http1:
            command.append("--h1")
        else:
            command += [f"--max-concurrent-streams={self.streams}", "--window-bits=20",
                        "--connection-window-bits=24"]  # fmt: skip
        if self.grpc_message:
            message = target.setting.folder / "message"
            size = self.grpc_message - 5
            message.write_bytes(b"\0" + size.to_bytes(4, "big") + b"g" * size)
            command += [f"--data={message}", "--header=content-type: application/grpc",
                        "--header=te: trailers"]  # fmt: skip
        return command

    def _output(self, command):
        done = subprocess.run(
            self.place(command), capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode != 0:
            raise Failure(f"h2load: {done.stderr[-1000:]}")
        return done.stdout


@dataclasses.dataclass(frozen=True)
class Own:
    """A load by bench-load: it connects before it is measured and closes after."""

    command: str
    port: str
    options: dict  # of the command, by name; one of them counts
    counted: str
    body: int = 0
    secure: bool = False
    host: str | None = None
    path: str | None = None
    header: str | None = None
    per_unit: int = 1  # what it counts for one of the scenario's unit
    place: callable = processes.on_other_cores

    def describe(self):
        rest = ", ".join(
            f"{name} {value}" for name, value in self.options.items()
            if name not in (self.counted, "resume")
        )  # fmt: skip
        return f"bench-load {self.command}" + (f", {rest}" if rest else "")

    def tiny(self):
        uncounted = {name: value for name, value in self.options.items() if name != self.counted}
        options = self.options | {self.counted: 3 * uncounted.get("connections", 8)}
        return dataclasses.replace(self, options=options)

    def scaled(self, divisor):
        options = self.options | {self.counted: max(self.options[self.counted] // divisor, 100)}
        return dataclasses.replace(self, options=options)

    def run(self, target, requested):
        with Running(self, target, requested) as running:
            before = measure.cpu(target.pid)
            told = running.go()
            spent = measure.cpu(target.pid) - before
        count = told["count"] // self.per_unit
        return Done(count, told["bytes"], told["wall_seconds"], spent, told["latency_seconds"])

    def arguments(self, target, requested):
        arguments = [BENCH_LOAD, self.command, "--connect", f"127.0.0.1:{target.port(self.port)}"]
        if self.command != "udp":
            file = target.setting.folder / f"targets-{self.command}"
            file.write_text("".join(self._targets(requested)))
            arguments += ["--targets", str(file)]
        if self.secure:
            arguments += ["--trust", str(target.setting.certificate)]
        if self.header:
            arguments += ["--header", self.header]
        for name, value in self.options.items():
            arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return self.place(arguments)

    def _targets(self, requested):
        if self.host:
            return [f"{self.host} {self.path or f'/b{self.body}'}\n"]
        return [f"{host} {prefix}b{self.body}\n" for host, prefix in requested]


class Running:
    """A bench-load that is ready; `go` has it do its work, closing ends it."""

    def __init__(self, load, target, requested):
        self.process = subprocess.Popen(
            load.arguments(target, requested), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"RUST_BACKTRACE": "0"},
        )  # fmt: skip
        # A proxy that stops answering must not stop the run.
        self.watchdog = threading.Timer(PATIENCE, self.process.kill)
        self.watchdog.start()

    def __enter__(self):
        try:
            self._line("ready")
        except Failure:
            self.__exit__()
            raise
        return self

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self._line("{"))

    def _line(self, start):
        line = self.process.stdout.readline()
        if line.startswith(start):
            return line
        self.process.kill()
        raise Failure(f"bench-load: {line}{self.process.stderr.read()[:1500]}")

    def __exit__(self, *_):
        self.watchdog.cancel()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        time.sleep(REST)
