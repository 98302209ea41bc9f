"""A run at a glance, on the terminal; docs/performance.md has the tables."""

import statistics


def write(facts):
    names = facts["settings"]["proxies"]
    print(f"{'CPU, µs (p99, µs)':60}" + "".join(f"{name:>14}" for name in names))
    for scenario in facts["scenarios"]:
        cells = [cell(facts["samples"], scenario["id"], name) for name in names]
        if any(cells):
            title = f"{scenario['title']} ({scenario['unit']})"
            print(f"{title:60}" + "".join(f"{each or '-':>14}" for each in cells))
    for step in ("started", "routes", "loaded", "removed"):
        found = {each["proxy"]: each["rss_bytes"] for each in facts["memory"] if each["step"] == step}
        if found:
            cells = (f"{found[name] / 2**20:.1f}" if name in found else "-" for name in names)
            print(f"{f'Memory, MiB: {step}':60}" + "".join(f"{each:>14}" for each in cells))


def cell(samples, scenario, name):
    """Medians over rounds; None without samples."""
    found = [each for each in samples if (each["scenario"], each["proxy"]) == (scenario, name)]
    if not found:
        return None
    spent = statistics.median(each["cpu_seconds"] / each["count"] for each in found)
    text = f"{spent * 1e6:.1f}"
    if "latency_seconds" in found[0]:
        p99 = statistics.median(each["latency_seconds"]["p99"] for each in found)
        text += f" ({p99 * 1e6:.0f})"
    return text
