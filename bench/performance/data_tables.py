"""Tables of the data plane."""

import results
import text

GROUPS = {
    "http1": "HTTP/1.1",
    "tls": "TLS",
    "http2": "HTTP/2",
    "grpc": "gRPC and HTTP/2 to the backend",
    "streams": "TCP, TLS passthrough, UDP, WebSocket",
    "bodies": "Bodies",
    "routes": "Many routes, matches and filters",
    "workers": "One and two workers",
    "idle": "Idle connections",
}


def machine(data):
    content = data.content
    where = content["machine"]
    versions = ", ".join(
        f"{results.PROXIES.get(name, name)} {version}" for name, version in content["versions"].items()
    )
    dirty = ", with uncommitted changes" if content.get("dirty") else ""
    rounds = sorted({len(samples) for samples in data.samples.values()})
    rounds = f"{rounds[0]} to {rounds[-1]}" if len(rounds) > 1 else f"{rounds[0]}"
    return (
        f"Data plane: [`{results.folder_of(data.path)}`](../{results.folder_of(data.path)}), commit "
        f"{content['commit']}{dirty}, {rounds} rounds, begun {content['started']}; "
        f"{where['cores']} cores of {where['model']}, {where['memory_bytes'] / 2**30:.0f} GiB, "
        f"{where['kernel']}. {versions}."
    )


def cpu(data):
    """CPU of everything that is not about latency, a table for each group."""
    sections = []
    for group, title in GROUPS.items():
        scenarios = data.of_group(group)
        measured = [scenario for scenario in scenarios if data.proxies(scenario["id"])]
        if measured:
            sections.append(f"### {title}\n\n{cpu_table(data, measured)}")
    return "\n\n".join(sections)


def cpu_table(data, scenarios):
    proxies = [p for p in results.PROXIES if any((s["id"], p) in data.samples for s in scenarios)]
    head = ["", "per"] + [results.PROXIES[proxy] for proxy in proxies]
    return text.table(head, [cpu_row(data, scenario, proxies) for scenario in scenarios], left=2)


def cpu_row(data, scenario, proxies):
    """Microseconds of CPU per unit; of others in brackets, how many times as much as ours."""
    cells = []
    for proxy in proxies:
        spent = data.median(scenario["id"], proxy, "cpu")
        if spent is None:
            cells.append("-")
        elif proxy == results.OURS:
            cells.append(text.strong(text.micros(spent)))
        else:
            factor = data.ratio(scenario["id"], proxy, results.OURS)
            cells.append(text.micros(spent) + (f" ({text.ratio(factor)}×)" if factor else ""))
    return [scenario["title"], scenario["unit"], *cells]


def split(data):
    """User and system time and throughput of the main scenarios."""
    rows = []
    for scenario in (s for group in ("http1", "tls", "http2", "grpc", "streams") for s in data.of_group(group)):
        for proxy in data.proxies(scenario["id"]):
            ask = lambda value: data.median(scenario["id"], proxy, value)
            name = results.PROXIES[proxy]
            rows.append([
                scenario["title"], text.strong(name) if proxy == results.OURS else name,
                text.micros(ask("user")), text.micros(ask("system")), text.figures(ask("rate")),
            ])  # fmt: skip
    return text.table(["", "", "user, µs", "system, µs", "per second"], rows, left=2)


def latency(data):
    rows = []
    for scenario in data.of_group("latency"):
        for proxy in data.proxies(scenario["id"]):
            ask = lambda value: text.micros(data.median(scenario["id"], proxy, value))
            name = results.PROXIES[proxy]
            name = text.strong(name) if proxy == results.OURS else name
            rows.append([scenario["title"], f"{scenario['rate']:,}", name, ask("p50"), ask("window_p99"), ask("p99"), ask("p999")])
    return text.table(["", "per second", "", "p50, µs", "p99 of 0.1 s, µs", "p99, µs", "p99.9, µs"], rows, left=3)


STEPS = {"started": "1 route", "routes": "5,000 routes", "loaded": "after requests to them", "removed": "1 route again"}


def memory(data):
    proxies = [p for p in results.PROXIES if any(entry["proxy"] == p for entry in data.content["memory"])]
    rows = []
    for proxy in proxies:
        name = results.PROXIES[proxy]
        cells = [text.mebibytes(data.memory(proxy, step)) for step in STEPS]
        rows.append([text.strong(name) if proxy == results.OURS else name, *cells])
    return text.table(["MiB", *STEPS.values()], rows)


def missing(data):
    """What could not be measured, and why."""
    rows = []
    for kind, what in (("failed", "failed"), ("unable", "cannot, or refuses")):
        for entry in data.content.get(kind, []):
            title = data.scenarios.get(entry["scenario"], {}).get("title", entry["scenario"])
            rows.append([title, results.PROXIES.get(entry["proxy"], entry["proxy"]), what, entry["reason"]])
    return text.table(["", "", "", "why"], rows, left=4) if rows else "Everything was measured."
