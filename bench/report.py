"""Tables of a run, on the terminal and in bench/results/."""

import datetime
import json
import pathlib
import platform
import re
import statistics
import subprocess

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
TITLES = {"http": "HTTP/1.1", "tls": "HTTP/1.1 over TLS", "h2": "HTTP/2 over TLS",
          "handshake": "Full TLS 1.3 handshakes"}  # fmt: skip


def write(names, route_counts, protocols, measured, settings):
    """Writes and prints the result of a run.

    `measured` maps (proxy, routes, protocol) to samples of `cpu` and `wall` seconds per request.
    """
    text = "\n".join(_lines(names, route_counts, protocols, measured, settings)) + "\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    stem = f"{datetime.date.today()}-{_git('rev-parse', '--short', 'HEAD')}"
    (RESULTS / f"{stem}.md").write_text(text)
    samples = [
        {"proxy": name, "routes": count, "protocol": protocol, "samples": samples}
        for (name, count, protocol), samples in measured.items()
    ]
    facts = {"settings": settings, "machine": _machine(), "versions": _versions(names)}
    (RESULTS / f"{stem}.json").write_text(json.dumps(facts | {"measured": samples}, indent=1) + "\n")
    print(f"written: bench/results/{stem}.md and .json")


def _lines(names, route_counts, protocols, measured, settings):
    changed = " with uncommitted changes" if _git("status", "--porcelain", "-uno") else ""
    yield f"# {datetime.date.today()}, commit {_git('rev-parse', '--short', 'HEAD')}{changed}"
    yield ""
    yield (
        f"{settings['rounds']} interleaved rounds of {settings['requests']} requests each; answers of "
        f"1,024 bytes; one worker each; {_machine()}."
    )
    yield "; ".join(f"{name} {version}" for name, version in _versions(names).items()) + "."
    for protocol in protocols:
        yield from _protocol_table(names, route_counts, protocol, measured)
    yield from _memory_table(names, route_counts, settings["resident"])


def _protocol_table(names, route_counts, protocol, measured):
    yield ""
    yield f"## {TITLES[protocol]}"
    yield ""
    unit = "handshake" if protocol == "handshake" else "request"
    yield f"| | routes | CPU per {unit}, µs (median, lowest-highest) | to nginx | {unit}s/s |"
    yield "|---|--:|--:|--:|--:|"
    for count in route_counts:
        for name in names:
            samples = measured[name, count, protocol]
            cpu = [sample["cpu"] * 1e6 for sample in samples]
            rate = 1 / statistics.median(sample["wall"] for sample in samples)
            yield (
                f"| {name} | {count:,} | {statistics.median(cpu):.1f} ({min(cpu):.1f}-{max(cpu):.1f}) "
                f"| {_ratio(name, count, protocol, measured)} | {rate:,.0f} |"
            )


def _ratio(name, count, protocol, measured):
    """The median over rounds of the ratio within a round: what disturbs a round disturbs both."""
    base = measured.get(("nginx", count, protocol))
    if base is None:
        return "-"
    pairs = zip(measured[name, count, protocol], base)
    return f"{statistics.median(own['cpu'] / other['cpu'] for own, other in pairs):.2f}"


def _memory_table(names, route_counts, resident):
    yield ""
    yield "## Resident memory after start, MiB"
    yield ""
    yield "| | " + " | ".join(f"{count:,} routes" for count in route_counts) + " |"
    yield "|---|" + "--:|" * len(route_counts)
    for name in names:
        cells = (f"{resident[f'{name}, {count} routes'] / 2**20:.1f}" for count in route_counts)
        yield f"| {name} | " + " | ".join(cells) + " |"


def _machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cores = pathlib.Path("/proc/cpuinfo").read_text().count("processor\t")
    return f"{cores} cores of {model[1] if model else platform.machine()}, Linux {platform.release()}"


def _versions(names):
    import proxies

    commands = {
        "nginx": ["nginx", "-v"],
        "haproxy": ["haproxy", "-v"],
        "envoy": [str(proxies.envoy_binary()), "--version"] if "envoy" in names else [],
    }
    found = {}
    for name in names:
        if command := commands.get(name):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name] = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]
    return found


def _git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()
