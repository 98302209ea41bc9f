"""The committed figures, and what of a new count is to be said about them."""

import dataclasses
import json
import pathlib

PATH = pathlib.Path(__file__).resolve().parent.parent / "instructions.json"
# The least slack: about three times the noise seen on one machine, and room for another C compiler and
# C library. Figures whose rounds lie far apart have twice that distance.
SLACK = 0.03
# Of connections, whose medians of three rounds lie 5 % apart; they have nine.
SLACK_BY_CHANCE = 0.1
# The target: 5,000 routes cost at most this much more than one.
MANY_ROUTES = 0.05


@dataclasses.dataclass(frozen=True)
class Figure:
    """Instructions of one thing done: the median of rounds, and how far they lie apart."""

    what: str
    instructions: int
    spread: float  # (highest - lowest) / median
    slack: float


def read():
    return {name: Figure(**figure) for name, figure in json.loads(PATH.read_text())["figures"].items()}


def write(counted, made):
    """Replaces the file; figures that were not counted this time stay."""
    kept = read() if PATH.exists() else {}
    figures = {name: dataclasses.asdict(figure) for name, figure in {**kept, **counted}.items()}
    PATH.write_text(json.dumps({"made": made, "figures": figures}, indent=1) + "\n")


def judge(counted, committed):
    """What is wrong, a line each; nothing if all is well."""
    for name, figure in counted.items():
        before = committed.get(name)
        if before is None:
            yield f"{name}: {figure.instructions:,} instructions, and no figure is committed"
            continue
        change = figure.instructions / before.instructions - 1
        if change > before.slack:
            yield f"{name}: {change:+.1%}: more than the slack of {before.slack:.0%}"
        elif change < -before.slack:
            yield f"{name}: {change:+.1%}: better. Commit the new figure, so that it stays so"
    one, many = counted.get("http-1"), counted.get("http-5000")
    if one and many and many.instructions > one.instructions * (1 + MANY_ROUTES):
        dearer = many.instructions / one.instructions - 1
        yield f"5,000 routes cost {dearer:.1%} more than one; {MANY_ROUTES:.0%} is the target"


def table(counted, committed):
    """A line for each figure: before, now, change, spread."""
    yield f"{'':<18}{'committed':>14}{'now':>14}{'change':>9}{'spread':>9}"
    for name, figure in counted.items():
        before = committed.get(name)
        old = f"{before.instructions:,}" if before else "-"
        change = f"{figure.instructions / before.instructions - 1:+.1%}" if before else "-"
        yield f"{name:<18}{old:>14}{figure.instructions:>14,}{change:>9}{figure.spread:>9.1%}  {figure.what}"
