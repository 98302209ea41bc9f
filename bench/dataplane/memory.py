"""Memory: with one route, with 5,000, after requests to them, and when they are gone again."""

import contextlib
import dataclasses
import time

import checks
import measure
import scenarios
from routes import Routes

ONE = Routes("hosts", 1)
MANY = Routes("hosts", 5000)
FEWER = Routes("hosts", 500)
# What is freed late counts as freed, up to this, in seconds. There is a request every second meanwhile:
# allocators give back while they are asked for something, and nobody's gateway is without a request.
SETTLING = 12


def measure_all(names, place, results, quick):
    for name in names:
        if name in results.remembered:
            continue
        try:
            with contextlib.ExitStack() as stack:
                steps(place.start(stack, name, ONE), results, quick)
        except Exception as error:  # noqa: BLE001  (whatever it is, the others are measured)
            results.failed("memory", name, error)
        results.write()


def steps(target, results, quick):
    load = scenarios.steady("http", 1000 if quick else 20000)

    def note(step):
        for _ in range(0 if quick else SETTLING):
            time.sleep(1)
            checks.wait_until_ready(target)
        results.memory(target.name, step, measure.resident_bytes(target.pid))

    checks.wait_until_ready(target)
    note("started")
    if not target.module.replace_routes:
        results.unable("memory", target.name, target.module.UNABLE["routes"])
        load.run(target, ONE.requested())
        note("loaded")
        return
    many = FEWER if quick else MANY
    replace(target, many)
    note("routes")
    load.run(target, many.requested())
    note("loaded")
    replace(target, ONE)
    note("removed")


def replace(target, routes):
    """Returns when the last of the new routes is served, and none beyond."""
    target.setting = dataclasses.replace(target.setting, routes=routes)
    target.module.replace_routes(target.setting, target.process)
    beyond = f"host-{routes.count}.bench.example"
    deadline = time.monotonic() + checks.PATIENCE
    while True:
        checks.wait_until_ready(target)
        try:
            return checks.expect(target, beyond, "/b0", False, 404)
        except checks.Wrong:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
