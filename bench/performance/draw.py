"""The plots as PNG. They have a white ground of their own, so that they look the same on a dark page."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot
import matplotlib.ticker

OURS = "portcullis"
NAMES = {"portcullis": "Portcullis", "nginx": "nginx", "haproxy": "HAProxy", "envoy": "Envoy", "pingora": "pingora"}
COLOURS = {"portcullis": "#d1410c", "nginx": "#2f8f4e", "haproxy": "#2f6db5", "envoy": "#8a56b8", "pingora": "#8c8c8c"}
INK, FAINT, LINE = "#222222", "#767676", "#d9d9d9"
STYLE = {
    "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white",
    "font.family": "DejaVu Sans", "font.size": 12, "text.color": INK, "axes.edgecolor": LINE,
    "axes.labelcolor": INK, "xtick.color": FAINT, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.left": False, "xtick.major.size": 0, "ytick.major.size": 0,
    "figure.dpi": 150,
}  # fmt: skip

# Behind figures that would lie on a line.
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}


def draw(name, found, path):
    with pyplot.rc_context(STYLE):
        figure = {"cpu": cpu, "latency": latency, "memory": memory, "apply": apply, "scale": scale}[name](found)
        # No version or date: the same data gives the same file with the same matplotlib.
        figure.savefig(path, bbox_inches="tight", pad_inches=0.2, metadata={"Software": None})
        pyplot.close(figure)


def headline(figure, title, below):
    """A title that says what to see, and under it how to read the plot; both at the left edge."""
    figure.suptitle(title, x=0.01, y=0.995, ha="left", va="top", fontsize=16, fontweight="bold")
    figure.text(0.01, 0.995, "\n" + below, ha="left", va="top", fontsize=11.5, color=FAINT, linespacing=2.0)


def legend(figure, names, y):
    """Names in their colours, ours first and strong."""
    x = 0.01
    for name in names:
        strong = name == OURS
        label = figure.text(
            x, y, f"● {NAMES.get(name, name)}", color=COLOURS[name], fontsize=12,
            fontweight="bold" if strong else "normal", ha="left", va="top",
        )  # fmt: skip
        figure.canvas.draw()
        x = label.get_window_extent().transformed(figure.transFigure.inverted()).x1 + 0.025


def dots(axes, y, values, labelled=None, far=None):
    """One row: a dot for each proxy, ours large; those beyond `far` at the edge with their number."""
    for name, value in values.items():
        ours = name == OURS
        shown = min(value, far) if far else value
        # Ours is the larger and lies below, so that it hides nobody.
        axes.scatter(shown, y, s=230 if ours else 75, color=COLOURS[name], zorder=3 if ours else 4,
                     edgecolors="white", linewidths=1.2)  # fmt: skip
        if far and value > far:
            axes.annotate(f"{value:.1f}×", (shown, y), (9, 0), textcoords="offset points", va="center",
                          fontsize=10, color=COLOURS[name])  # fmt: skip
    if labelled:
        axes.annotate(labelled, (values[OURS], y), (0, 12), textcoords="offset points", ha="center",
                      fontsize=10.5, fontweight="bold", color=COLOURS[OURS], bbox=GROUND, zorder=2.5)  # fmt: skip


def rows_axes(axes, labels):
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.75)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)


def cpu(rows):
    figure, axes = pyplot.subplots(figsize=(9.2, 1.5 + 0.6 * len(rows)))
    figure.subplots_adjust(top=1 - 1.1 / figure.get_figheight(), left=0.26, right=0.97)
    far = 3.2
    for y, row in enumerate(rows):
        dots(axes, y, row["ratios"], micros_label(row), far)
    base = [row["label"] + ("" if row["base"] == "nginx" else f"\n(to {NAMES[row['base']]})") for row in rows]
    rows_axes(axes, base)
    axes.axvline(1, color=COLOURS["nginx"], linewidth=1.4, zorder=2)
    axes.set_xlim(0, far + 0.35)
    axes.set_xticks([0, 0.5, 1, 1.5, 2, 2.5, 3], ["0", "½", "as much\nas nginx", "1½×", "2×", "2½×", "3×"])
    headline(figure, "CPU of the proxy for the same work", "Relative to nginx, user and kernel together: left is cheaper. In figures: ours.")
    legend(figure, [name for name in COLOURS if any(name in row["ratios"] for row in rows)], 1 - 0.72 / figure.get_figheight())
    return figure


def micros_label(row):
    return f"{row['micros'][OURS]:,g} µs"


def latency(rows):
    figure, axes = pyplot.subplots(figsize=(9.2, 1.6 + 1.05 * len(rows)))
    figure.subplots_adjust(top=1 - 1.1 / figure.get_figheight(), left=0.26, right=0.97)
    names = [name for name in COLOURS if any(name in row["micros"] for row in rows)]
    for y, row in enumerate(rows):
        present = [name for name in names if name in row["micros"]]
        for n, name in enumerate(present):
            middle, high = row["micros"][name]
            at = y + (n - (len(present) - 1) / 2) * 0.7 / max(1, len(present))
            ours = name == OURS
            axes.plot([middle, high], [at, at], color=COLOURS[name], linewidth=4 if ours else 2, solid_capstyle="round", zorder=3)
            axes.scatter([middle], [at], s=36 if ours else 20, color="white", edgecolors=COLOURS[name], linewidths=2, zorder=4)
            axes.scatter([high], [at], s=70 if ours else 36, color=COLOURS[name], zorder=4)
            axes.annotate(f"{high:,g}", (high, at), (8, 0), textcoords="offset points", va="center", fontsize=10,
                          color=COLOURS[name], fontweight="bold" if ours else "normal")  # fmt: skip
    rows_axes(axes, [f"{row['label']}\n{row['rate']:,}/s" for row in rows])
    axes.grid(axis="y", visible=False)
    axes.set_xscale("log")
    axes.set_xlabel("microseconds", color=FAINT)
    plain_ticks(axes, [n * 10**power for power in range(6) for n in (1, 2, 5)], lambda value: f"{value:,g}")
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    headline(figure, "Latency at a fixed rate, below saturation", "From p50 (open) to p99 (filled, in figures), since each request was due. Left is quicker.")
    legend(figure, names, 1 - 0.72 / figure.get_figheight())
    return figure


def plain_ticks(axes, places, words):
    """Ticks of a logarithmic axis at those of `places` that are in sight."""
    low, high = axes.get_xlim()
    places = [place for place in places if low <= place <= high]
    axes.set_xticks(places, [words(place) for place in places])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())


def memory(found):
    figure, axes = pyplot.subplots(figsize=(9.2, 4.6))
    figure.subplots_adjust(top=1 - 0.85 / figure.get_figheight(), left=0.07, right=0.99)
    labels = []
    for name in reversed(list(found)):
        ours = name == OURS
        axes.plot(range(3), found[name], color=COLOURS[name], linewidth=4 if ours else 2, marker="o",
                  markersize=9 if ours else 6, zorder=4 if ours else 3)  # fmt: skip
        labels.append([found[name][2], name])
    ends = spread_out(sorted(labels), 0.08 * max(max(values) for values in found.values()))
    for place, (value, name) in ends:
        axes.annotate(f"{NAMES[name]} {found[name][0]:g} → {found[name][1]:g} → {value:g}", (2.06, place), va="center",
                      color=COLOURS[name], fontweight="bold" if name == OURS else "normal")  # fmt: skip
    axes.set_xticks(range(3), ["1 route", "5,000 routes,\nafter requests", "1 route again"])
    axes.set_xlim(-0.15, 3.1)
    axes.set_ylim(0)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.tick_params(axis="y", colors=FAINT)
    axes.spines["bottom"].set_visible(False)
    for limit in (10, 40):
        axes.axhline(limit, color=INK, linewidth=1.2, linestyle=(0, (4, 4)), zorder=2)
    headline(figure, "Memory", "MiB (proportional set size). Dashed: our targets, 10 idle and 40 with 5,000 routes.")
    return figure


def spread_out(labels, least):
    """Places for labels at least so far apart, lowest first."""
    placed, last = [], None
    for value, name in labels:
        last = value if last is None else max(value, last + least)
        placed.append((last, (value, name)))
    return placed


KINDS = {"portcullis": "Portcullis", "envoy": "Envoy Gateway"}


def apply(found):
    """Shares of probes served within a time, a panel for each thing that went on."""
    whiles = [each for each in ("quiet", "churn", "filling") if any(level["while"] == each for level in found)]
    figure, panels = pyplot.subplots(1, len(whiles), figsize=(9.2, 4.7), sharey=True, squeeze=False)
    figure.subplots_adjust(top=1 - 1.4 / figure.get_figheight(), left=0.09, right=0.99, wspace=0.1)
    highest = max(level["samples"][-1] for level in found)
    for axes, kind in zip(panels[0], whiles):
        for level in (each for each in found if each["while"] == kind):
            samples, ours = level["samples"], level["class"] == OURS
            shares = [100 * (n + 1) / len(samples) for n in range(len(samples))]
            most = max(each["routes"] for each in found if each["class"] == level["class"] and each["while"] == kind)
            axes.plot(samples, shares, color=COLOURS[level["class"]], linewidth=2.6 if ours else 1.8,
                      alpha=1 if level["routes"] == most else 0.45)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(1, max(highest * 1.3, 100))
        axes.set_ylim(0, 103)
        axes.set_title({"quiet": "nothing else changes", "churn": "other routes change", "filling": "being filled up"}[kind],
                       loc="left", fontsize=12)  # fmt: skip
        plain_ticks(axes, [1, 10, 100, 1000, 10000], milliseconds)
        axes.grid(color=LINE, linewidth=0.8)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", colors=FAINT)
        for limit, share in ((10, 50), (50, 99)):
            axes.plot([limit], [share], marker="x", markersize=9, markeredgewidth=2, color=INK, zorder=5)
    panels[0][0].set_ylabel("% of probes served", color=FAINT)
    headline(figure, "From an apply to traffic", "API server's acknowledgement to the first 200; left is quicker. Faint: fewer routes. ×: our targets.")
    legend_classes(figure, found, 1 - 0.72 / figure.get_figheight())
    return figure


def milliseconds(value):
    return {100: "100 ms"}.get(value, f"{value:g}") if value < 1000 else f"{value / 1000:g} s"


def legend_classes(figure, found, y):
    x = 0.01
    kinds = {level["class"] for level in found} if isinstance(found, list) else set(found)
    for kind in (kind for kind in KINDS if kind in kinds):
        figure.text(x, y, f"● {KINDS[kind]}", color=COLOURS[kind], fontsize=12, ha="left", va="top",
                    fontweight="bold" if kind == OURS else "normal")  # fmt: skip
        x += 0.17


def scale(found):
    figure, panels = pyplot.subplots(1, 2, figsize=(9.2, 4.3))
    figure.subplots_adjust(top=1 - 1.4 / figure.get_figheight(), left=0.12, right=0.97, wspace=0.32)
    sides = {"controller": "controller", "dataPlane": "data plane"}
    bars(panels[0], found, sides, lambda side: side["mebibytes"][1], "MiB", {"controller": 100, "dataPlane": 40})
    bars(panels[1], found, sides, lambda side: side["idle"], "% of a core when idle", {"controller": 1, "dataPlane": 1})
    headline(figure, "5,000 routes", "Memory under one change a second, and CPU when nothing changes. Dashed: our targets.")
    legend_classes(figure, found, 1 - 0.72 / figure.get_figheight())
    return figure


def bars(axes, found, sides, read, title, limits):
    kinds = [kind for kind in KINDS if kind in found]
    for y, side in enumerate(sides):
        for n, kind in enumerate(kinds):
            at, value = y + (n - (len(kinds) - 1) / 2) * 0.34, read(found[kind][side])
            axes.barh(at, value, height=0.3, color=COLOURS[kind], zorder=3)
            axes.annotate(f"{value:,g}", (value, at), (5, 0), textcoords="offset points", va="center",
                          color=COLOURS[kind], fontweight="bold" if kind == OURS else "normal",
                          bbox=GROUND, zorder=5)  # fmt: skip
        axes.plot([limits[side]] * 2, [y - 0.42, y + 0.42], color=INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=4)
    axes.set_yticks(range(len(sides)), sides.values())
    axes.set_ylim(len(sides) - 0.5, -0.5)
    axes.set_title(title, loc="left", fontsize=12)
    axes.margins(x=0.16)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
