"""Tables of bench/instructions.json."""

import text


def figures(found):
    rows = [
        [name, figure["what"], f"{figure['instructions']:,}", f"{figure['spread']:.1%}".replace("%", " %")]
        for name, figure in found["figures"].items()
    ]
    made = found["made"]
    note = f"Counted on {made['date']} with {made['rustc']}, {made['cc']}, {made['libc']}, {made['valgrind']}."
    return text.table(["", "", "instructions", "spread"], rows, left=2) + "\n\n" + note
