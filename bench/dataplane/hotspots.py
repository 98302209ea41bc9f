"""Where one proxy's CPU time goes, by `perf`: kernel and user, then the dearest functions.

usage: python3 bench/dataplane/hotspots.py [PROXY [SCENARIO]]     (portcullis http-1k)
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys

import checks
import processes
import results
import scenarios
import targets

LOADS = 5


def main(name="portcullis", scenario="http-1k"):
    (chosen,) = (each for each in scenarios.SCENARIOS if each.id == scenario)
    folder = results.ROOT / f"bench/work/hotspots-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        place = targets.prepare(stack, folder)
        target = place.start(stack, name, chosen.routes, chosen.workers)
        checks.wait_until_ready(target)
        requested = chosen.routes.requested()
        chosen.load.run(target, requested)  # warms
        data = folder / "perf.data"
        record(target, chosen, requested, data)
        report(data, "dso")
        report(data, "symbol")


def record(target, chosen, requested, data):
    with contextlib.ExitStack() as stack:
        of = ",".join(str(pid) for pid in processes.process_tree(target.pid))
        command = ["perf", "record", "--quiet", "--event=cpu-clock", "--freq=4999", f"--pid={of}",
                   f"--output={data}"]  # fmt: skip
        processes.spawn(stack, data.parent / "perf", command)
        for _ in range(LOADS):
            done = chosen.load.run(target, requested)
            each = done.cpu.total / done.count * 1e6
            print(f"{target.name}, {chosen.title}: {each:.1f} µs each {chosen.unit}, under perf")


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
