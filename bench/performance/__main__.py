"""Writes the tables and plots of docs/performance.md from the newest committed results.

usage: python3 bench/performance [--check]

`--check` writes nothing and fails if the document is not what would be written; it needs no
matplotlib, since plots are compared by a digest of what they show.
"""

import pathlib
import re
import sys

import control_tables
import data_tables
import instruction_tables
import plots
import results
import targets

DOCUMENT = results.BENCH.parent / "docs" / "performance.md"
PICTURES = DOCUMENT.parent / "performance"
SECTION = re.compile(r"(<!-- begin ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ABSENT = "Not measured yet."


def main(*arguments):
    data, control = results.data_plane(), results.control_plane()
    drawn = plots.all_plots(data, control)
    before = DOCUMENT.read_text()
    after = fill(before, sections(data, control, drawn))
    if "--check" in arguments:
        check(before, after, drawn)
        return
    draw_all(drawn)
    DOCUMENT.write_text(after)
    print(f"written: {DOCUMENT.relative_to(results.BENCH.parent)} and {len(drawn)} plots")


def draw_all(drawn):
    for picture in PICTURES.glob("*.png"):
        picture.unlink()
    if drawn:
        import draw  # nothing else needs matplotlib

        PICTURES.mkdir(exist_ok=True)
        for name, _, found in drawn:
            draw.draw(name, found, PICTURES / f"{name}.png")


def check(before, after, drawn):
    wrong = []
    if before != after:
        wrong.append("docs/performance.md is not what the committed results give")
    wrong += [f"docs/performance/{name}.png is missing" for name, _, _ in drawn if not (PICTURES / f"{name}.png").exists()]
    if wrong:
        sys.exit("\n".join([*wrong, "make performance-docs writes it"]))


def fill(document, made):
    """The document with each section's content replaced."""

    def replaced(match):
        begin, name, end = match.groups()
        return f"{begin}{made[name].rstrip()}\n{end}"

    return SECTION.sub(replaced, document)


def sections(data, control, drawn):
    """Text by name of section."""
    made = {f"plot-{name}": "" for name in ("cpu", "latency", "memory", "apply", "scale")}
    for name, words, found in drawn:
        made[f"plot-{name}"] = f"![{words}](performance/{name}.png)\n<!-- shows {plots.digest(found)} -->"
    of_data = {
        "data-machine": data_tables.machine,
        "cpu": data_tables.cpu,
        "split": data_tables.split,
        "latency": data_tables.latency,
        "memory": data_tables.memory,
        "missing": data_tables.missing,
        "data-targets": lambda found: judged(targets.data_plane(found)),
    }
    of_control = {
        "control-machine": control_tables.machine,
        "probe": control_tables.probe,
        "change": control_tables.change,
        "attached": control_tables.attached,
        "scale": control_tables.scale,
        "endpoints": control_tables.endpoints,
        "gateways": control_tables.gateways,
        "listener-sets": control_tables.listener_sets,
        "control-targets": lambda found: judged(targets.control_plane(found)),
    }
    for found, makers in ((data, of_data), (control, of_control)):
        made |= {name: make(found) if found else ABSENT for name, make in makers.items()}
    counted = results.instructions()
    made["instructions"] = instruction_tables.figures(counted) if counted else ABSENT
    return made


def judged(yielded):
    listed = list(yielded)
    return f"{targets.summary(listed)}\n\n{targets.table(listed)}"


if __name__ == "__main__":
    main(*sys.argv[1:])
