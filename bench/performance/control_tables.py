"""Tables of the control plane; durations in milliseconds unless a unit is named."""

import results
import text

CLASSES = {"portcullis": "Portcullis", "envoy": "Envoy Gateway"}
SOFTWARE = {"portcullis": "Portcullis", "envoyGateway": "Envoy Gateway", "envoy": "Envoy", "go": "Go",
            "kubernetes": "Kubernetes", "gatewayApi": "Gateway API"}  # fmt: skip


def machine(control):
    content = control.content
    where = content["machine"]
    versions = ", ".join(f"{SOFTWARE.get(name, name)} {version}" for name, version in content["versions"].items())
    changed = ", with uncommitted changes" if content.get("changed") else ""
    return (
        f"Control plane: [`{results.folder_of(control.path)}`](../{results.folder_of(control.path)}), commit "
        f"{content['commit']}{changed}, begun {content['date']}; {where['cores']} cores of {where['cpu']}, "
        f"{where['memoryBytes'] / 2**30:.0f} GiB, Linux {where['kernel']}. {versions}."
    )


def named(kind):
    name = CLASSES.get(kind, kind)
    return text.strong(name) if kind == results.OURS else name


def probe(control):
    rows = []
    for kind in control.classes():
        for level in control.levels(kind):
            ok, status = level["ok"], level["status"]
            rows.append([
                named(kind), f"{level['routes']:,}", level["while"], str(ok["n"]), text.millis(ok["p50"]),
                text.millis(ok["p99"]), text.millis(ok["max"]), text.millis(status["p50"]),
                f"{len(level['unexpected']):,}", f"{level['givenUp']:,}",
            ])  # fmt: skip
    return text.table(
        ["", "routes", "while", "probes", "first 200, p50", "p99", "max", "status, p50", "wrong answers", "given up"],
        rows,
    )


def each(control, part, row, head):
    """A table of one part, a line or some for each class."""
    rows = []
    for kind in control.classes():
        result = control.part(part, kind)
        if result:
            rows += [[named(kind), *cells] for cells in row(result)]
        elif problem := (control.content["parts"].get(part, {}).get(kind) or {}).get("error"):
            rows.append([named(kind), problem.splitlines()[0][:200], *[""] * (len(head) - 1)])
    return text.table(["", *head], rows)


def change(control):
    def row(found):
        sent, effect = found["sent"], found["effect"]
        yield [
            f"{found['flips']:,}", f"{sent['requests']:,}", f"{sent['failed']:,}", text.millis(effect["p50"]),
            text.millis(effect["p99"]), text.millis(sent["latency"]["p50"]), text.millis(sent["latency"]["p99"]),
        ]  # fmt: skip

    return each(
        control, "change", row,
        ["changes", "requests", "failed", "effect, p50", "effect, p99", "latency, p50", "latency, p99"],
    )  # fmt: skip


def attached(control):
    def row(found):
        for way in ("up", "down"):
            if step := found.get(way):
                yield [
                    way, text.millis(step["counted"]), text.millis(step["accepted"]) if way == "up" else "-",
                    f"{step['routeWrites']:,}", f"{step['mostPerRoute']:,}", f"{step['gatewayWrites']:,}",
                ]  # fmt: skip

    return each(
        control, "attached", row,
        ["", "count right after", "all accepted after", "route status writes", "most of one", "Gateway status writes"],
    )  # fmt: skip


STEPS = {"empty": "1 route", "full": "all, idle", "churned": "all, a change a second", "emptied": "none any more, a while after"}
IDLE = {"empty": "idleEmptyCpuPercent", "full": "idleCpuPercent", "churned": "churnCpuPercent"}


def memory_of(use, side, value="rss"):
    """Bytes of all processes of a side."""
    return sum(process[value] for process in use.get(side) or [])


def each_process(processes):
    """MiB of each, the largest first."""
    return " + ".join(text.mebibytes(size) for size in sorted((each["rss"] for each in processes), reverse=True))


def scale(control):
    def row(found):
        for step, what in STEPS.items():
            use, cpu = found[step], found.get(IDLE.get(step), {})
            percent = lambda side: f"{cpu[side]:.2f}" if cpu else "-"
            yield [
                what, each_process(use["controller"]), percent("controller"),
                each_process(use["dataPlane"]), percent("dataPlane"),
            ]  # fmt: skip

    return each(
        control, "scale", row,
        ["", "controller, MiB", "% of a core", "data plane, MiB", "% of a core"],
    )  # fmt: skip


def endpoints(control):
    def row(found):
        for way in ("graceful", "abrupt"):
            if rolled := found.get(way):
                sent = rolled["sent"]
                yield [
                    way, f"{rolled['backends']}", f"{sent['requests']:,}", f"{sent['failed']:,}",
                    text.millis(sent["latency"]["p50"]), text.millis(sent["latency"]["p99"]),
                ]  # fmt: skip

    return each(control, "endpoints", row, ["backends end", "backends", "requests", "failed", "latency, p50", "p99"])


def gateways(control):
    def row(found):
        summary = found["summary"]
        yield [
            f"{found['gateways']}", f"{found['all'] / 1e3:.1f}", f"{summary['p50'] / 1e3:.1f}",
            f"{found['podReady']['p50'] / 1e3:.1f}", f"{found['statusWrites']:,}",
        ]  # fmt: skip

    return each(
        control, "gateways", row,
        ["Gateways", "all Programmed, s", "each, p50, s", "pod ready, p50, s", "status writes"],
    )  # fmt: skip


def listener_sets(control):
    def row(found):
        yield [
            f"{found['listenerSets']}", text.millis(found["programmed"]), text.millis(found["served"]),
            f"{found['setWrites']:,}", f"{found['mostPerSet']:,}", f"{found['gatewayWrites']:,}",
        ]  # fmt: skip

    return each(
        control, "listenersets", row,
        ["ListenerSets", "all Programmed after", "all served after", "status writes", "most of one", "Gateway status writes"],
    )  # fmt: skip
