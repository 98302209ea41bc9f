"""What is drawn, as data: the check compares it without drawing anything.

Each function gives None when there is nothing to draw. Numbers are rounded to what is seen, so that
the same results always give the same data.
"""

import hashlib
import json

import control_tables
import results
import targets

# Rows of the plot of CPU: scenario, label.
CPU_ROWS = [
    ("http-1k", "HTTP/1.1"),
    ("http-new", "HTTP/1.1, new connections"),
    ("tls-1k", "HTTP/1.1 over TLS"),
    ("tls-full", "TLS, full handshakes"),
    ("tls-resumed", "TLS, resumed"),
    ("h2-1k", "HTTP/2 over TLS"),
    ("h2c-1k", "HTTP/2 to HTTP/2"),
    ("grpc-unary", "gRPC, unary"),
    ("websocket-1k", "WebSocket messages"),
    ("tcp-1m", "TCP, bytes"),
    ("passthrough-1m", "TLS passthrough, bytes"),
    ("udp-200", "UDP, datagrams"),
]  # fmt: skip


def all_plots(data, control):
    """Name, what it shows in words, and its data."""
    drawn = []
    if data:
        drawn += [
            ("cpu", "CPU per request relative to nginx, of each proxy", cpu(data)),
            ("latency", "Latency at a fixed rate: p50 and p99 of each proxy", latency(data)),
            ("memory", "Memory of each proxy with one route, with 5,000, and after they are gone", memory(data)),
        ]
    if control:
        drawn += [
            ("apply", "Time from an apply to the first answer, Portcullis and Envoy Gateway", apply(control)),
            ("scale", "Memory and idle CPU with 5,000 routes, Portcullis and Envoy Gateway", scale(control)),
        ]
    return [(name, words, found) for name, words, found in drawn if found]


def digest(found):
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def cpu(data):
    """Rows of ratios to nginx (where nginx cannot, to the cheapest peer), with our own microseconds."""
    rows = []
    for scenario, label in CPU_ROWS:
        base = _base(data, scenario)
        if base is None or not data.median(scenario, results.OURS, "cpu"):
            continue
        ratios = {proxy: data.ratio(scenario, proxy, base) for proxy in data.proxies(scenario)}
        rows.append({
            "label": label,
            "base": base,
            "unit": data.scenarios[scenario]["unit"],
            "ratios": {proxy: round(ratio, 2) for proxy, ratio in ratios.items() if ratio},
            "micros": {proxy: _three(data.median(scenario, proxy, "cpu") * 1e6) for proxy in ratios},
        })  # fmt: skip
    return rows


def _base(data, scenario):
    if scenario not in data.scenarios:
        return None
    spent = {proxy: data.median(scenario, proxy, "cpu") for proxy in results.PEERS}
    spent = {proxy: value for proxy, value in spent.items() if value}
    return "nginx" if "nginx" in spent else min(spent, key=spent.get, default=None)


def _three(number):
    return float(f"{number:.3g}")


def latency(data):
    rows = []
    for scenario in data.of_group("latency"):
        proxies = data.proxies(scenario["id"])
        ask = lambda proxy, value: _three(data.median(scenario["id"], proxy, value) * 1e6)
        if results.OURS in proxies:
            rows.append({
                "label": scenario["title"].partition(" at a fixed")[0],
                "rate": scenario["rate"],
                "micros": {proxy: [ask(proxy, "p50"), ask(proxy, "p99")] for proxy in proxies},
            })  # fmt: skip
    return rows


def memory(data):
    steps = ("started", "loaded", "removed")
    found = {}
    for proxy in results.PROXIES:
        held = [data.memory(proxy, step) for step in steps]
        if all(held):
            found[proxy] = [round(size / targets.MIB, 1) for size in held]
    return found


def apply(control):
    """Sorted samples, in milliseconds, by class and level."""
    found = []
    for kind in control.classes():
        for level in control.levels(kind):
            samples = sorted(sample["ok"] for sample in level["samples"] if sample["ok"] is not None)
            if samples:
                thinned = [_three(max(0.1, samples[i])) for i in _places(len(samples), 200)]
                found.append({"class": kind, "routes": level["routes"], "while": level["while"], "samples": thinned})
    return found


def _places(length, wanted):
    """So many places, evenly, with both ends."""
    if length <= wanted:
        return range(length)
    return sorted({round(n * (length - 1) / (wanted - 1)) for n in range(wanted)})


def scale(control):
    found = {}
    for kind in control.classes():
        part = control.part("scale", kind)
        if part:
            found[kind] = {
                side: {
                    "mebibytes": [
                        round(control_tables.memory_of(part[step], side) / targets.MIB, 1)
                        for step in ("empty", "churned", "emptied")
                    ],
                    "idle": round(part["idleCpuPercent"][side], 2),
                    "churn": round(part["churnCpuPercent"][side], 2),
                }
                for side in ("controller", "dataPlane")
            }
    return found
