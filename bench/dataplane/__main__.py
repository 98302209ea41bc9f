"""Measures Portcullis beside its peers; bench/README.md says what and how.

Settings by environment: SCENARIOS (ids, groups, wildcards, `memory`), PROXIES, ROUNDS (5), QUICK,
RESUME, RESULTS (folder), KEEP (leaves bench/work), MINUTES (30), and the programs PORTCULLIS, PINGORA, BENCH_LOAD.
"""

import contextlib
import dataclasses
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import time

import checks
import loads
import measure
import memory
import processes
import results
import routes
import scenarios
import summary
import targets

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "5"))
NAMES = os.environ.get("PROXIES", " ".join(targets.NAMES)).split()
# How long it may take; on a machine too slow for that there are fewer rounds.
MINUTES = float(os.environ.get("MINUTES", "30"))
# What is measured together, in this order, and the share of the time after which no round of it
# begins. Many proxies that only rest, as one for each number of routes, would be in latency's way.
REST = None
BATCHES = {"latency": 0.25, REST: 0.75, "routes": 0.85, "workers": 0.93}
# What most targets are about has three times as many rounds.
OFTEN = ("http1", "tls", "http2", "latency")
ERRORS = (loads.Failure, checks.Wrong, OSError, RuntimeError, ValueError, subprocess.SubprocessError)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    processes.raise_descriptor_limit()
    chosen = scenarios.selected()
    outcome = results.Results(NAMES, chosen, settings())
    folder = results.ROOT / f"bench/work/run-{os.getpid()}"
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        if not os.environ.get("KEEP"):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        place = targets.prepare(stack, folder)
        for name in NAMES:
            outcome.keep_configuration(*place.example(name))
            try_to_start(place, name)
        for batch, share in batches(chosen):
            Batch(batch, place, outcome).run(started + share * MINUTES * 60)
        if any(fnmatch.fnmatch("memory", each) for each in os.environ.get("SCENARIOS", "*").split()):
            memory.measure_all(NAMES, place, outcome, QUICK)
    outcome.write()
    summary.write(outcome.facts)
    say(f"{(time.monotonic() - started) / 60:.1f} minutes; written: {outcome.file}")
    if failed := outcome.facts["failed"]:
        for each in failed:
            say(f"FAILED {each['scenario']} of {each['proxy']}: {each['reason']}")
        sys.exit(f"{len(failed)} failures")


def try_to_start(place, name):
    """Says at once what would spoil a long run."""
    with contextlib.ExitStack() as stack:
        try:
            checks.wait_until_ready(place.start(stack, name, routes.Routes("paths", 10)))
        except ERRORS as error:
            sys.exit(f"{name} does not start, or answers wrong: {error}")


def settings():
    return {
        "rounds": ROUNDS,
        "quick": QUICK,
        "proxies": NAMES,
        "tls": {
            "protocol": "TLSv1.3",
            "cipher": "TLS_AES_128_GCM_SHA256",
            "group": "X25519",
            "certificate": "ECDSA P-256",
        },
    }


def batches(chosen):
    """With the share of the time after which no round begins."""
    for group, share in BATCHES.items():
        belongs = lambda scenario: (scenario.group if scenario.group in BATCHES else REST) == group
        yield [scenario for scenario in chosen if belongs(scenario)], share


def rounds(scenario):
    """How often it is measured. One round is for trying out."""
    if ROUNDS == 1:
        return 1
    return scenario.rounds or ROUNDS * (3 if scenario.group in OFTEN else 1)


class Batch:
    """Scenarios that take turns, and the proxies that they need."""

    def __init__(self, chosen, place, outcome):
        self.scenarios = [quick(scenario) for scenario in chosen] if QUICK else chosen
        self.place = place
        self.outcome = outcome
        self.running = {}
        self.skipped = set()

    def run(self, deadline):
        if not self.scenarios:
            return
        with contextlib.ExitStack() as stack:
            self.stack = stack
            self.start()
            self.try_out()
            for number in range(1, max(map(rounds, self.scenarios)) + 1):
                if number > 1 and time.monotonic() > deadline:
                    say(f"no time for more than {number - 1} rounds")
                    break
                self.round(number)
                self.outcome.write()

    def able(self):
        """Pairs of scenario and proxy that are measured; why not, of the others."""
        for scenario in self.scenarios:
            for name in NAMES:
                unable = targets.MODULES[name].UNABLE
                reason = unable.get(scenario.load.port) or unable.get(scenario.needs)
                if reason:
                    self.outcome.unable(scenario.id, name, reason)
                elif (scenario.id, name) not in self.skipped:
                    yield scenario, name

    def start(self):
        keys = dict.fromkeys(key(scenario, name) for scenario, name in self.able())
        for each in keys:
            self.running[each] = self.place.start(self.stack, *each)
        for each, target in self.running.items():
            try:
                checks.wait_until_ready(target)
            except ERRORS as error:
                for scenario, name in list(self.able()):
                    if key(scenario, name) == each:
                        self.drop(scenario, name, error)
                continue
        say(f"{len(self.running)} proxies run and answer right")

    def try_out(self):
        """A few requests of every scenario to every proxy, before any is measured."""
        for scenario, name in list(self.able()):
            small = dataclasses.replace(scenario, load=scenario.load.tiny(), idle=min(scenario.idle, 10))
            try:
                target = self.running[key(scenario, name)]
                if scenario.group == "grpc":
                    checks.check_grpc(target)
                run(small, target)
            except ERRORS as error:
                self.drop(scenario, name, error)

    def round(self, number):
        took = {}
        for scenario, name in list(self.able()):
            if number > rounds(scenario):
                continue
            if (scenario.id, name, number) in self.outcome.done:
                continue
            started = time.monotonic()
            target = self.alive(key(scenario, name))
            try:
                done, rss = run(scenario, target)
                self.outcome.sample(scenario.id, name, number, done, rss)
            except ERRORS as error:
                self.drop(scenario, name, error)
            took[scenario.id] = took.get(scenario.id, 0) + time.monotonic() - started
        slowest = ", ".join(f"{each} {seconds:.1f}" for each, seconds in took.items())
        say(f"round {number} took {sum(took.values()):.0f} s: {slowest}")

    def alive(self, which):
        """The proxy, started again if it ended."""
        target = self.running[which]
        if target.ended():
            target = self.running[which] = self.place.start(self.stack, *which)
            with contextlib.suppress(*ERRORS):
                checks.wait_until_ready(target)
        return target

    def drop(self, scenario, name, error):
        """No figures are better than some of a proxy that fails: the failure is told."""
        self.skipped.add((scenario.id, name))
        self.outcome.failed(scenario.id, name, error)


def key(scenario, name):
    return name, scenario.routes, scenario.workers


def run(scenario, target):
    """What the load did, and memory right after it."""
    requested = scenario.routes.requested()
    with contextlib.ExitStack() as stack:
        if scenario.idle:
            idle = loads.Own("idle", "http", {"connections": scenario.idle}, "connections")
            waiting = stack.enter_context(loads.Running(idle, target, requested))
        done = scenario.load.run(target, requested)
        rss = measure.resident_bytes(target.pid)
        if scenario.idle and waiting.go()["count"] != scenario.idle:
            raise loads.Failure("idle connections were closed")
    return done, rss


def quick(scenario):
    """The same with a twentieth of the work and a tenth of the routes, to see whether all goes well."""
    fewer = dataclasses.replace(scenario.routes, count=max(scenario.routes.count // 10, 1))
    return dataclasses.replace(
        scenario, load=scenario.load.scaled(20), routes=fewer, idle=scenario.idle // 10
    )


def say(line):
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
