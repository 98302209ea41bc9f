"""CPU per proxied request of Portcullis beside nginx, HAProxy and Envoy.

Every proxy runs all the time, once with 1 and once with 5,000 routes; the load visits them in
turn, round after round, so that what else the machine does falls on all alike. A proxy's CPU time
is read from the kernel before and after each bounded load. The median of the rounds is reported.

Settings by environment: ROUNDS (7), REQUESTS a load (20000), PROXIES (names), PORTCULLIS (binary).
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

import proxies
import report

ROUNDS = int(os.environ.get("ROUNDS", "7"))
REQUESTS = int(os.environ.get("REQUESTS", "20000"))
ROUTE_COUNTS = (1, 5000)
BODY = "portcullis benchmark body. " * 38
BODY = BODY[:1024]
# Connections and requests at a time on each, for h2load.
CONCURRENCY = {
    "http": ["--h1", "--clients=32"],
    "tls": ["--h1", "--clients=32"],
    "h2": ["--clients=8", "--max-concurrent-streams=16"],
}
HANDSHAKE = "handshake"
LOADS = [*CONCURRENCY, HANDSHAKE]
WORK = pathlib.Path(__file__).resolve().parent / "work"


@dataclasses.dataclass
class Target:
    """One running proxy."""

    name: str
    setting: proxies.Setting
    process: subprocess.Popen
    resident: int = 0  # bytes, after start and one request

    def label(self):
        return f"{self.name}, {self.setting.routes.count} routes"


def main():
    names = os.environ.get("PROXIES", " ".join(proxies.PROXIES)).split()
    folder = WORK / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    certificate, key = make_certificate(folder)
    with contextlib.ExitStack() as stack:
        backend_port = start_backend(stack, folder)
        targets = [
            start(stack, folder, name, count, backend_port, certificate, key)
            for count in ROUTE_COUNTS
            for name in names
        ]
        for target in targets:
            wait_until_it_answers_right(target)
            target.resident = resident_bytes(target.process.pid)
        measured = measure(targets)
    report.write(names, ROUTE_COUNTS, LOADS, measured, settings(targets))


def settings(targets):
    return {
        "rounds": ROUNDS,
        "requests": REQUESTS,
        "resident": {target.label(): target.resident for target in targets},
    }


def measure(targets):
    """Loads every target by every protocol, `ROUNDS` times; lists of samples by (proxy, routes, protocol)."""
    measured = {}
    for round_number in range(ROUNDS + 1):
        for protocol in LOADS:
            for target in targets:
                sample = load(target, protocol)
                if round_number == 0:
                    continue  # warms pools and caches
                key = (target.name, target.setting.routes.count, protocol)
                measured.setdefault(key, []).append(sample)
        print(f"round {round_number} of {ROUNDS} done", file=sys.stderr)
    return measured


def load(target, protocol):
    """One bounded load; CPU and wall seconds for each request or handshake."""
    before = cpu_seconds(target.process.pid)
    count, wall = shake_hands(target) if protocol == HANDSHAKE else send_requests(target, protocol)
    return {"cpu": (cpu_seconds(target.process.pid) - before) / count, "wall": wall / count}


def send_requests(target, protocol):
    """`REQUESTS` requests on open connections; their number and how long they took together."""
    setting = target.setting
    host, paths = setting.routes.requested()
    scheme, port = ("http", setting.http_port) if protocol == "http" else ("https", setting.https_port)
    uris = setting.folder / f"uris-{scheme}"
    uris.write_text("".join(f"{scheme}://{host}{path}\n" for path in paths))
    out = run(["h2load", "--threads=1", f"--requests={REQUESTS}", f"--input-file={uris}",
               f"--connect-to=127.0.0.1:{port}", *CONCURRENCY[protocol]])  # fmt: skip
    if f"status codes: {REQUESTS} 2xx" not in out:
        sys.exit(f"{target.label()}, {protocol}: not every answer was a success\n{out}")
    duration, unit = re.search(r"finished in ([\d.]+)(us|ms|s)", out).groups()
    return REQUESTS, float(duration) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def shake_hands(target):
    """Full TLS 1.3 handshakes, one after the other, for a second."""
    started = time.monotonic()
    out = run(["openssl", "s_time", "-new", "-time", "1", "-tls1_3",
               "-connect", f"127.0.0.1:{target.setting.https_port}"])  # fmt: skip
    wall = time.monotonic() - started
    return int(re.search(r"(\d+) connections in \d+ real seconds", out)[1]), wall


def run(command):
    return subprocess.run(on_other_cores(command), capture_output=True, text=True, check=True).stdout


# --- processes


def start_backend(stack, folder):
    port = free_port()
    backend_folder = folder / "backend"
    backend_folder.mkdir()
    spawn(stack, backend_folder, on_other_cores(proxies.backend(backend_folder, port, BODY)))
    return port


def start(stack, folder, name, count, backend_port, certificate, key):
    own = folder / f"{name}-{count}"
    own.mkdir()
    setting = proxies.Setting(
        own, proxies.Routes(count), free_port(), free_port(), backend_port, certificate, key
    )
    command = on_core_of_proxies(proxies.PROXIES[name](setting))
    return Target(name, setting, spawn(stack, own, command))


def spawn(stack, folder, command):
    """Starts a process that ends with `stack`; its output goes to `folder`/log."""
    log = stack.enter_context(open(folder / "log", "w"))
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    stack.callback(stop, process)
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def on_core_of_proxies(command):
    """The proxies share one core, what they serve and are asked by has the others."""
    return ["taskset", "--cpu-list", "0", *command] if os.cpu_count() > 1 else command


def on_other_cores(command):
    last = os.cpu_count() - 1
    return ["taskset", "--cpu-list", f"1-{last}", *command] if last > 0 else command


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# --- what the kernel knows


def process_tree(pid):
    """`pid` and its descendants (nginx works in a child)."""
    yield pid
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        yield from process_tree(int(child))


def cpu_seconds(pid):
    """CPU time of all threads so far, by the scheduler's nanoseconds (threads that ended do not count)."""
    spent = 0
    for process in process_tree(pid):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9


def resident_bytes(pid):
    """Resident memory, pages that processes share counted once."""
    kib = 0
    for process in process_tree(pid):
        rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
        kib += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])
    return kib * 1024


# --- correctness before speed


def wait_until_it_answers_right(target):
    """Fails unless the proxy soon answers 200 with the whole body, on both ports, and 404 elsewhere."""
    host, paths = target.setting.routes.requested()
    deadline = time.monotonic() + 300
    for tls in (False, True):
        while (answer := get(target, host, paths[-1], tls)) != (200, BODY):
            if time.monotonic() > deadline or target.process.poll() is not None:
                log = (target.setting.folder / "log").read_text()[-2000:]
                sys.exit(f"{target.label()} answers {answer} (tls: {tls})\n{log}")
            time.sleep(0.05)
        status, _ = get(target, host, "/nothing-here", tls)
        if status != 404:
            sys.exit(f"{target.label()} answers {status} where it has no route")


def get(target, host, path, tls):
    """Status and body of one request on a connection of its own; (0, reason) without an answer."""
    port = target.setting.https_port if tls else target.setting.http_port
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            if tls:
                context = ssl.create_default_context(cafile=target.setting.certificate)
                connection = context.wrap_socket(connection, server_hostname=host)
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        return 0, str(error)
    head, _, body = answer.partition("\r\n\r\n")
    if "transfer-encoding: chunked" in head.lower():
        body = body.split("\r\n")[1]
    return int(head.split()[1]), body


def make_certificate(folder):
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "30", "-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:*.bench.example",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


if __name__ == "__main__":
    main()
