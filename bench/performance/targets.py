"""The targets, and by how much they are met or missed: computed, never typed."""

import dataclasses
from collections.abc import Callable

import control_tables
import results
import text

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Bound:
    """A measured value beside what it may be at most (or must be at least)."""

    value: float
    limit: float
    unit: Callable[[float], str] = text.ratio
    at_least: bool = False

    def met(self):
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def by(self):
        """How far from the limit, the good way or the bad."""
        if self.limit == 0:
            return "-"
        return text.share(self.value / self.limit - 1)


def table(targets):
    """`targets` are triples of area, wording and bound; a bound of None was not measured."""
    rows = []
    for what, goal, bound in targets:
        if bound is None:
            rows.append([what, goal, "not measured", "-", ""])
            continue
        verdict = "met" if bound.met() else text.strong("missed")
        rows.append([what, goal, bound.unit(bound.value), verdict, bound.by()])
    return text.table(["", "target", "measured", "", "from the target"], rows, left=4)


def summary(targets):
    """One sentence."""
    bounds = [bound for _, _, bound in targets if bound]
    met = sum(bound.met() for bound in bounds)
    unmeasured = len(targets) - len(bounds)
    rest = f"; {unmeasured} not measured" if unmeasured else ""
    return f"{met} of {len(bounds)} measured targets are met{rest}."


# --- the data plane

# What is compared with which peer, by the identifiers of bench/dataplane/scenarios.py; there are 5,000
# routes on our side.
COMPARISONS = [
    ("http-1k", "nginx", "at or below nginx"),
    ("tls-1k", "nginx", "at or below nginx"),
    ("h2-1k", "nginx", "below nginx"),
    ("h2-1k", "haproxy", "stretch: at or below HAProxy"),
    ("tls-full", "nginx", "at or below nginx"),
    ("tls-resumed", "nginx", "at or below nginx"),
    ("tcp-1m", "haproxy", "at or below HAProxy"),
    ("tcp-1k", "haproxy", "at or below HAProxy"),
    ("passthrough-1m", "haproxy", "at or below HAProxy"),
    ("passthrough-1k", "haproxy", "at or below HAProxy"),
]
ONE_ROUTE, MANY_ROUTES = "routes-hosts-1", ("routes-hosts-5000", "routes-paths-5000")


def data_plane(data):
    for scenario, peer, goal in COMPARISONS:
        if scenario in data.scenarios:
            found = data.scenarios[scenario]
            yield f"CPU per {found['unit']}: {found['title']}", goal, _to(data, scenario, peer)
    yield _worst_beside_envoy(data)
    for scenario in data.of_group("latency"):
        for value, what in LATENCIES.items():
            yield _latency(data, scenario, value, what)
    for scenario in MANY_ROUTES:
        if scenario in data.scenarios:
            title = data.scenarios[scenario]["title"]
            yield f"CPU per request: {title}, against 1 route", "at most 5 % more", _growth(data, scenario)
    for step, goal, limit in (("started", "10 MiB idle", 10), ("loaded", "40 MiB with 5,000 routes", 40)):
        held = data.memory(results.OURS, step)
        yield "memory", goal, Bound(held, limit * MIB, _mib) if held else None
    before, after = (data.memory(results.OURS, step) for step in ("started", "removed"))
    returned = Bound(after, before * 1.1, _mib) if before and after else None
    yield "memory after they are gone", "as before, and at most 10 % more", returned


def _mib(size):
    return f"{size / MIB:.1f} MiB"


def _to(data, scenario, peer):
    measured = data.ratio(scenario, results.OURS, peer)
    return Bound(measured, 1.0, lambda value: f"{value:.2f} × {results.PROXIES[peer]}") if measured else None


def _worst_beside_envoy(data):
    ratios = {
        scenario["title"]: data.ratio(name, results.OURS, "envoy")
        for name, scenario in data.scenarios.items()
        if scenario["group"] != "latency"
    }
    ratios = {title: value for title, value in ratios.items() if value}
    goal = "never above half of Envoy's"
    if not ratios:
        return "CPU, anywhere", goal, None
    worst = max(ratios, key=ratios.get)
    return f"CPU, anywhere (worst: {worst})", goal, Bound(ratios[worst], 0.5, lambda value: f"{value:.2f} × Envoy")


# A pause of the machine is in the first, whatever proxy runs; bench/README.md.
LATENCIES = {"p99": "p99", "window_p99": "p99 of the median tenth of a second"}


def _latency(data, scenario, value, what):
    name = scenario["id"]
    best = {peer: data.median(name, peer, value) for peer in results.PEERS}
    best = {peer: median for peer, median in best.items() if median}
    what, own = f"{what}, {scenario['title']}", data.median(name, results.OURS, value)
    if not best or not own:
        return what, "at or below the best peer", None
    peer = min(best, key=best.get)
    goal = f"at or below the best peer ({results.PROXIES[peer]}: {text.micros(best[peer])} µs)"
    return what, goal, Bound(own, best[peer], lambda value: f"{text.micros(value)} µs")


def _growth(data, scenario):
    growth = data.across(scenario, ONE_ROUTE, results.OURS)
    return Bound(growth - 1, 0.05, lambda value: f"{value:+.1%}".replace("%", " %")) if growth else None


# --- the control plane


def control_plane(control):
    for level in control.levels(results.OURS):
        where = f"{level['routes']:,} routes, {level['while']}"
        yield f"apply to first 200, p50; {where}", "10 ms", Bound(level["ok"]["p50"], 10, _ms)
        yield f"apply to first 200, p99; {where}", "50 ms", Bound(level["ok"]["p99"], 50, _ms)
    levels = control.levels(results.OURS)
    wrong = sum(len(level["unexpected"]) + level["givenUp"] for level in levels)
    yield "only ever 404, then 200", "no other answer", Bound(wrong, 0, _count) if levels else None
    yield "1,000 changes under load", "no failed request", _failed(control, "change", lambda found: found)
    yield "rolling restart of backends", "no failed request", _failed(control, "endpoints", lambda found: found["graceful"])
    attached = control.part("attached", results.OURS)
    most = Bound(attached["up"]["mostPerRoute"], 1, _count) if attached else None
    yield "1,000 routes at once", "one status write per route", most
    yield from _scale(control)
    yield from _ahead(control)


def _ms(value):
    return f"{text.millis(value)} ms"


def _count(value):
    return f"{value:,.0f}"


def _failed(control, part, chosen):
    found = control.part(part, results.OURS)
    return Bound(chosen(found)["sent"]["failed"], 0, _count) if found else None


def _scale(control):
    found = control.part("scale", results.OURS)
    for side, name, limit in (("controller", "controller", 100), ("dataPlane", "data plane", 40)):
        # Of each process: two replicas of the controller hold the same.
        held = max(process["rss"] for process in found["churned"][side]) if found else None
        yield f"{name}, 5,000 routes", f"under {limit} MiB", Bound(held, limit * MIB, _mib) if held else None
        idle = found["idleCpuPercent"][side] if found else None
        percent = lambda value: f"{value:.2f} %"
        yield f"{name} when idle, 5,000 routes", "below 1 % of a core", Bound(idle, 1, percent) if found else None
    held = lambda step: max(process["rss"] for process in found[step]["dataPlane"])
    yield "data plane, one route", "10 MiB idle", Bound(held("empty"), 10 * MIB, _mib) if found else None
    returned = Bound(held("emptied"), 1.1 * held("empty"), _mib) if found else None
    yield "data plane, 5,000 routes gone", "as before, and at most 10 % more", returned


# What every class is compared by: part, name, and how to read it out of the part's result.
COMPARED = [
    ("probe", "apply to first 200, p99, worst level", lambda found: max(level["ok"]["p99"] for level in found["levels"])),
    ("change", "effect of a change, p99", lambda found: found["effect"]["p99"]),
    ("attached", "1,000 routes counted", lambda found: found["up"]["counted"]),
    ("attached", "1,000 routes gone, counted", lambda found: found["down"]["counted"]),
    ("scale", "controller's CPU when idle, %", lambda found: found["idleCpuPercent"]["controller"]),
    ("scale", "data plane's CPU when idle, %", lambda found: found["idleCpuPercent"]["dataPlane"]),
    ("scale", "controller's memory, all replicas, MiB", lambda found: control_tables.memory_of(found["churned"], "controller") / MIB),
    ("scale", "data plane's memory, MiB", lambda found: control_tables.memory_of(found["churned"], "dataPlane") / MIB),
    ("gateways", "50 Gateways Programmed", lambda found: found["all"]),
    ("listenersets", "500 ListenerSets programmed", lambda found: found["programmed"]),
]  # fmt: skip


def _ahead(control):
    for part, name, read in COMPARED:
        ours, theirs = control.part(part, results.OURS), control.part(part, "envoy")
        if not ours or not theirs:
            yield f"beside Envoy Gateway: {name}", "ahead", None
            continue
        own, other = read(ours), read(theirs)
        yield f"beside Envoy Gateway: {name}", f"ahead ({text.figures(other)})", Bound(own, other, text.figures)
