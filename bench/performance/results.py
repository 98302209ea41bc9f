"""The newest committed results, as values to ask for."""

import dataclasses
import json
import pathlib
import statistics

BENCH = pathlib.Path(__file__).resolve().parent.parent
OURS = "portcullis"
# In the order of tables and legends.
PROXIES = {"portcullis": "Portcullis", "nginx": "nginx", "haproxy": "HAProxy", "envoy": "Envoy",
           "pingora": "bare pingora-proxy"}  # fmt: skip
# Whom a reader would otherwise run: bare pingora-proxy routes nothing.
PEERS = ("nginx", "haproxy", "envoy")


def newest(name, when):
    """The path and content of the newest file `name` that is no quick trial; (None, None) without one."""
    found = []
    for path in sorted((BENCH / "results").glob(f"*/{name}")):
        content = json.loads(path.read_text())
        if not (content.get("quick") or content.get("settings", {}).get("quick")):
            found.append((content[when], path, content))
    return max(found, key=lambda each: each[0])[1:] if found else (None, None)


def data_plane():
    path, content = newest("data-plane.json", "started")
    return DataPlane(path, content) if content else None


def control_plane():
    path, content = newest("control-plane.json", "date")
    return ControlPlane(path, content) if content else None


def instructions():
    path = BENCH / "instructions.json"
    return json.loads(path.read_text()) if path.exists() else None


def folder_of(path):
    return path.parent.relative_to(BENCH.parent).as_posix()


class DataPlane:
    """data-plane.json; bench/README.md tells what its fields mean."""

    # What is asked of a sample, by name.
    VALUES = {
        "cpu": lambda s: s["cpu_seconds"] / s["count"],
        "user": lambda s: s["user_seconds"] / s["count"],
        "system": lambda s: s["system_seconds"] / s["count"],
        "rate": lambda s: s["count"] / s["wall_seconds"],
        "bytes": lambda s: s["bytes"] / s["cpu_seconds"],
        "rss": lambda s: s["rss_bytes"],
        "p50": lambda s: s["latency_seconds"]["p50"],
        "p99": lambda s: s["latency_seconds"]["p99"],
        "window_p99": lambda s: s["latency_seconds"]["window_p99"],
        "p999": lambda s: s["latency_seconds"]["p999"],
    }

    def __init__(self, path, content):
        self.path = path
        self.content = content
        self.scenarios = {scenario["id"]: scenario for scenario in content["scenarios"]}
        self.samples = {}
        for sample in content["samples"]:
            self.samples.setdefault((sample["scenario"], sample["proxy"]), {})[sample["round"]] = sample

    def of_group(self, group):
        return [scenario for scenario in self.scenarios.values() if scenario["group"] == group]

    def proxies(self, scenario):
        """Those with samples, in the usual order."""
        return [proxy for proxy in PROXIES if (scenario, proxy) in self.samples]

    def rounds(self, scenario, proxy, value):
        ask = self.VALUES[value]
        return {n: ask(sample) for n, sample in self.samples.get((scenario, proxy), {}).items()}

    def median(self, scenario, proxy, value):
        """None without samples."""
        values = self.rounds(scenario, proxy, value).values()
        return statistics.median(values) if values else None

    def ratio(self, scenario, proxy, base, value="cpu"):
        """The median over rounds of the ratio within a round: what disturbs a round disturbs both."""
        own, other = self.rounds(scenario, proxy, value), self.rounds(scenario, base, value)
        ratios = [own[n] / other[n] for n in own if other.get(n)]
        return statistics.median(ratios) if ratios else None

    def across(self, scenario, other, proxy, value="cpu"):
        """The same for two scenarios of one proxy."""
        own, base = self.rounds(scenario, proxy, value), self.rounds(other, proxy, value)
        ratios = [own[n] / base[n] for n in own if base.get(n)]
        return statistics.median(ratios) if ratios else None

    def memory(self, proxy, step):
        for entry in self.content["memory"]:
            if (entry["proxy"], entry["step"]) == (proxy, step):
                return entry["rss_bytes"]
        return None


@dataclasses.dataclass
class ControlPlane:
    """control-plane.json; bench/README.md tells what its fields mean."""

    path: pathlib.Path
    content: dict

    def classes(self):
        """Ours first."""
        known = {name for part in self.content["parts"].values() for name in part}
        return sorted(known, key=lambda name: name != OURS)

    def part(self, name, kind):
        """The result of a part of one class; None without one."""
        return (self.content["parts"].get(name, {}).get(kind) or {}).get("result")

    def levels(self, kind):
        """The levels of the probe."""
        return (self.part("probe", kind) or {}).get("levels") or []
