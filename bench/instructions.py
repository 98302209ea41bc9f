"""Instructions per proxied request of two or more builds of Portcullis, by callgrind.

Where other work shares the machine, times say little; instruction counts say what a change costs in
user code. A build is loaded with N and with 2 N requests, and the difference of the two counts is
that of N requests: start-up, connections and handshakes cancel. Only the busiest thread counts, which
is the worker: timers tick on another, by the clock.

usage: python3 bench/instructions.py NAME=BINARY...

Settings by environment: REQUESTS (N, 2000), ROUNDS (2), PROTOCOLS (http tls h2), ROUTES (1 5000).
"""

import contextlib
import functools
import os
import re
import shutil
import statistics
import sys

import bench
import proxies

REQUESTS = int(os.environ.get("REQUESTS", "2000"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
PROTOCOLS = os.environ.get("PROTOCOLS", "http tls h2").split()
ROUTE_COUNTS = [int(count) for count in os.environ.get("ROUTES", "1 5000").split()]


def main(*arguments):
    builds = dict(argument.split("=", 1) for argument in arguments)
    folder = bench.WORK / f"instructions-{os.getpid()}"
    folder.mkdir(parents=True)
    certificate, key = bench.make_certificate(folder)
    counts = {}
    with contextlib.ExitStack() as stack:
        backend_port = bench.start_backend(stack, folder)
        for routes in ROUTE_COUNTS:
            for name, binary in builds.items():
                proxies.PROXIES[name] = functools.partial(under_callgrind, binary)
                target = bench.start(stack, folder, name, routes, backend_port, certificate, key)
                bench.wait_until_it_answers_right(target)
                count_all(target, counts)
    report(builds, counts)


def under_callgrind(binary, setting):
    """The command of `binary`, counted once told to: start-up is not."""
    os.environ["PORTCULLIS"] = binary
    return ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
            f"--callgrind-out-file={setting.folder}/callgrind.out", *proxies.portcullis(setting)]  # fmt: skip


def count_all(target, counts):
    """Counts every protocol, `ROUNDS` times."""
    control(target, "--instr=on")
    for protocol in PROTOCOLS:
        load(target, protocol, REQUESTS // 2)  # warms
        dump(target)
        for _ in range(ROUNDS):
            load(target, protocol, REQUESTS)
            once = dump(target)
            load(target, protocol, 2 * REQUESTS)
            twice = dump(target)
            each = (instructions(twice) - instructions(once)) / REQUESTS
            key = (target.name, target.setting.routes.count, protocol)
            counts.setdefault(key, []).append(each)
            print(f"{target.label()}, {protocol}: {each:,.0f}", file=sys.stderr, flush=True)
        shutil.copy(max(twice, key=total), target.setting.folder / f"callgrind.{protocol}")


def load(target, protocol, requests):
    bench.REQUESTS = requests
    bench.load(target, protocol)


def dump(target):
    """Writes what was counted since the last dump; the files, one for each thread."""
    control(target, "--dump")
    files = list(target.setting.folder.glob("callgrind.out.*-*"))
    last = max(map(dump_number, files))
    return [file for file in files if dump_number(file) == last]


def dump_number(file):
    return int(file.suffix[1:].split("-")[0])


def instructions(files):
    return max(map(total, files))


def total(file):
    return int(re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)[1])


def control(target, instruction):
    bench.run(["callgrind_control", instruction, str(target.process.pid)])


def report(names, counts):
    """A table of medians, each build beside the first."""
    print("| routes | protocol | " + " | ".join(names) + " |")
    print("|--:|---|" + "--:|" * len(names))
    for routes in ROUTE_COUNTS:
        for protocol in PROTOCOLS:
            medians = [statistics.median(counts[name, routes, protocol]) for name in names]
            cells = (f"{median:,.0f} ({median / medians[0] - 1:+.1%})" for median in medians)
            print(f"| {routes:,} | {protocol} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
