"""Counts instructions of the main paths, and compares with bench/instructions.json.

No time is measured, so it tells the same on a busy machine as on an idle one. What is counted is user
code of the thread that works, under valgrind's callgrind; a load of N and one of 2 N exchanges are
counted, and the difference divided by N, so that connections and start cancel; the median of rounds
is taken. Needs the AVX2 of any x86-64 server of the last ten years: with it valgrind shows every
program the same processor, wherever it runs.

usage: python3 bench/guard [--bless] [--only NAME,...] --binary PORTCULLIS [--examples FOLDER]
       python3 bench/guard --binary PORTCULLIS --order FILE
"""

import argparse
import contextlib
import datetime
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import backends
import callgrind
import figures
import loads
import manifests
import order

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MANY = 5000
ROUNDS = 3
# Name, routes, load, exchanges counted, what it is.
SERVED = [
    ("http-1", 1, loads.http, 200, "HTTP/1.1 request, kept alive, 1 route"),
    ("http-5000", MANY, loads.http, 200, "the same, 5,000 routes"),
    ("http-paths", MANY, loads.http_paths, 200, "the same, a host with 2,500 paths"),
    ("http-filters", MANY, loads.http_filtered, 200, "10 rules with header, regex and query matches; 4 filters"),
    ("http-body", MANY, loads.http_body, 200, "POST of 1 KiB"),
    ("http-large", MANY, loads.http_large, 100, "answer of 64 KiB"),
    ("http-connection", MANY, loads.http_connections, 100, "connection with one request"),
    ("tls", MANY, loads.tls, 200, "HTTP/1.1 request over TLS, kept alive"),
    ("tls-connection", MANY, loads.tls_connections, 30, "full TLS 1.3 handshake with one request"),
    ("h2", MANY, loads.h2, 200, "HTTP/2 request over TLS, one at a time"),
    ("tls-large", MANY, loads.tls_large, 60, "answer of 64 KiB over TLS"),
    ("h2-large", MANY, loads.h2_large, 60, "answer of 64 KiB over HTTP/2 and TLS, 4 at a time"),
    ("h2-streams", MANY, loads.h2_streams, 320, "HTTP/2 request over TLS, 16 at a time"),
    ("grpc", MANY, loads.grpc, 200, "unary gRPC call, h2c to h2c"),
    ("tcp", MANY, loads.tcp, 200, "TCP, 16 KiB there and back"),
    ("tcp-connection", MANY, loads.tcp_connections, 100, "TCP connection, 16 KiB there and back"),
    ("udp", MANY, loads.udp, 300, "datagram there and back"),
]  # fmt: skip
# Whether a connection's first bytes are there already when it is accepted is chance: more rounds, more slack.
BY_CHANCE = ("http-connection", "tcp-connection")
# Name, command of an example, times, what it is; the example does it that often in `counted`.
COMPUTED = [
    ("translate", ["many_routes", "5000", "routes", "from-nothing"], 1, "translation of 5,000 routes from nothing"),
    ("translate-one", ["many_routes", "5000", "routes", "new-route"], 10, "translation of one more route than 5,000"),
    ("table", ["lookup", "build", "5000"], 1, "lookup table of 5,000 routes from nothing"),
    ("table-one", ["lookup", "rebuild", "5000"], 10, "lookup table with one more route than 5,000"),
    ("lookup", ["lookup", "hosts-5000"], 1000, "lookup of a request among 5,000 hosts"),
]  # fmt: skip


def main():
    arguments = parse()
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        sys.exit("bench/guard: the committed figures are those of a processor with AVX2")
    if arguments.order:
        return write_order(arguments.binary, arguments.order)
    chosen = arguments.only.split(",") if arguments.only else None
    wanted = lambda name: chosen is None or name in chosen
    kept = ROOT / "target" / "bench-guard"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        loads.pin_tls(folder)
        counted = count_served(arguments.binary, folder, kept, wanted)
        if arguments.examples:
            counted |= count_computed(arguments.examples, kept, wanted)
    finish(counted, arguments.bless, kept)


def parse():
    parser = argparse.ArgumentParser(prog="bench/guard")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--examples", type=pathlib.Path, help="folder of the built examples")
    parser.add_argument("--only", help="names of figures, separated by commas")
    parser.add_argument("--bless", action="store_true", help="write the figures instead of comparing")
    parser.add_argument("--order", type=pathlib.Path, help="write there which functions run, and count nothing")
    return parser.parse_args()


def finish(counted, bless, kept):
    committed = figures.read() if figures.PATH.exists() else {}
    print(*figures.table(counted, committed), sep="\n")
    if bless:
        figures.write(counted, made())
        print(f"written: {figures.PATH.relative_to(ROOT)}")
        return
    complaints = list(figures.judge(counted, committed))
    if complaints:
        print(*complaints, sep="\n", file=sys.stderr)
        sys.exit(
            f"What executes them: callgrind_annotate {kept.relative_to(ROOT)}/NAME. To accept the new "
            "figures: make bench-guard BLESS=yes"
        )


def made():
    """With what the figures were made: other compilers and C libraries give others, by a little."""
    return {
        "date": str(datetime.date.today()),
        "rustc": said("rustc", "--version"),
        "cc": said("cc", "--version"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": said("valgrind", "--version"),
    }


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


# --- what is served


def count_served(binary, folder, kept, wanted):
    counted = {}
    chosen = [scenario for scenario in SERVED if wanted(scenario[0])]
    with contextlib.ExitStack() as stack:
        process, ports = backends.start()
        stack.callback(process.terminate)
        for routes in sorted({scenario[1] for scenario in chosen}):
            with serve(binary, folder / f"{routes}", routes, ports) as (gateway, listened):
                for name, _, load, count, what in (each for each in chosen if each[1] == routes):
                    counted[name] = count_load(gateway, listened, load, count, what, kept / name)
    return counted


@contextlib.contextmanager
def serve(binary, folder, routes, ports, process=callgrind.Counted):
    """A gateway under callgrind that answers already, and the ports it listens on."""
    certificate, key = make_certificate(folder)
    manifests.write(folder / "manifests", routes, ports, certificate, key)
    listened = {name: free_port(name) for name in manifests.LISTENED}
    command = [
        binary, "standalone", str(folder / "manifests"), "--bind", "127.0.0.1",
        "--admin", "127.0.0.1:0", "--workers", "1", "--access-log", "off",
        *(f"--port-map={port}={listened[name]}" for name, port in manifests.LISTENED.items()),
    ]  # fmt: skip
    with process(command, folder) as gateway:
        listened["certificate"] = str(certificate)
        wait_until_it_serves(gateway, listened)
        gateway.start_counting()
        yield gateway, listened


def wait_until_it_serves(gateway, listened):
    deadline = time.monotonic() + 180
    while True:
        try:
            return loads.http(listened, 1)
        except (OSError, loads.Wrong) as error:
            if time.monotonic() > deadline or gateway.process.poll() is not None:
                sys.exit(f"the gateway does not serve: {error}\n{gateway.log()}")
            time.sleep(0.1)


def count_load(gateway, listened, load, count, what, kept):
    """Instructions of one exchange: the median of differences of N and 2 N."""
    load(listened, max(count // 5, loads.STREAMS))  # pools fill, buffers grow
    gateway.take()
    taken = []
    for times in (1, 2) * (3 * ROUNDS if kept.name in BY_CHANCE else ROUNDS):
        load(listened, times * count)
        taken.append(gateway.take())
    # Another thread may have been the busiest once, with something that has come to its end since.
    usual = lambda thread: statistics.median(each[thread][0] if thread in each else 0 for each in taken)
    worker = max(taken[-1], key=usual)
    totals = [each[worker][0] for each in taken]
    samples = [(twice - once) / count for once, twice in zip(totals[::2], totals[1::2], strict=True)]
    shutil.copy(taken[-1][worker][1], kept)
    return told(kept.name, samples, what)


def told(name, samples, what):
    """The figure of several rounds; what they were is printed."""
    median = statistics.median(samples)
    spread = (max(samples) - min(samples)) / median
    print(f"{name}: {median:,.0f} ({', '.join(f'{s:,.0f}' for s in samples)})", file=sys.stderr)
    least = figures.SLACK_BY_CHANCE if name in BY_CHANCE else figures.SLACK
    return figures.Figure(what, round(median), round(spread, 4), round(max(least, 2 * spread), 2))


def make_certificate(folder):
    folder.mkdir()
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "30", "-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:*.bench.example",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True, env={**callgrind.ENVIRONMENT},
    )  # fmt: skip
    return certificate, key


def free_port(name):
    kind = socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_order(binary, path):
    """The functions of a start and of all that is served here."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        loads.pin_tls(folder)
        process, ports = backends.start()
        stack.callback(process.terminate)
        with serve(binary, folder / "served", MANY, ports, callgrind.Traced) as (gateway, listened):
            for _, _, load, _, _ in SERVED:
                load(listened, loads.STREAMS)
        order.write(binary, gateway.files(), path)


# --- what is computed


def count_computed(examples, kept, wanted):
    """Rounds are processes of their own, since each hashes with another seed."""
    counted = {}
    for name, (example, *arguments), times, what in COMPUTED:
        if wanted(name):
            command = [str(examples / example), *arguments, str(times)]
            totals = [callgrind.count_function("counted", command, kept / name) for _ in range(ROUNDS)]
            counted[name] = told(name, [total / times for total in totals], what)
    return counted


if __name__ == "__main__":
    main()
