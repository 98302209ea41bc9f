"""Where one proxy's CPU time goes, by `perf`: kernel and user, then the dearest functions.

usage: python3 bench/hotspots.py [PROXY [PROTOCOL [ROUTES]]]     (portcullis http 1)
"""

import contextlib
import os
import re
import subprocess
import sys

import bench


def main(name="portcullis", protocol="http", routes="1"):
    folder = bench.WORK / f"hotspots-{os.getpid()}"
    folder.mkdir(parents=True)
    certificate, key = bench.make_certificate(folder)
    with contextlib.ExitStack() as stack:
        backend_port = bench.start_backend(stack, folder)
        target = bench.start(stack, folder, name, int(routes), backend_port, certificate, key)
        bench.wait_until_it_answers_right(target)
        bench.load(target, protocol)  # warms
        record(stack, folder, target, protocol)
    report(folder / "perf.data", "dso")
    report(folder / "perf.data", "symbol")


def record(stack, folder, target, protocol):
    threads = [str(pid) for pid in bench.process_tree(target.process.pid)]
    recorder = subprocess.Popen(
        ["perf", "record", "--quiet", "--event=cpu-clock", "--freq=4999", f"--pid={','.join(threads)}",
         f"--output={folder}/perf.data"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    stack.callback(bench.stop, recorder)
    for _ in range(5):
        sample = bench.load(target, protocol)
        print(f"{target.label()}, {protocol}: {sample['cpu'] * 1e6:.1f} µs a request, under perf")


def report(data, by):
    done = subprocess.run(
        ["perf", "report", "--stdio", "--no-children", f"--sort={by}", "--percent-limit=0.5", f"--input={data}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    print(f"\n-- by {by}")
    for line in done.stdout.splitlines():
        if re.match(r"\s+\d", line):
            print(line.rstrip()[:140])


if __name__ == "__main__":
    main(*sys.argv[1:])
