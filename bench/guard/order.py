"""Which functions run, for a linker that lays them side by side (hack/ordered)."""

import bisect
import re
import subprocess

# Far fewer would mean that nothing was found, not that little runs.
FEWEST = 1000


def write(binary, counted, path):
    """Writes the symbols of all functions of which an instruction ran, in the order in which they lie."""
    functions = Functions(binary)
    ran = {functions.at(address) for file in counted for address in _addresses(file, binary)} - {None}
    if len(ran) < FEWEST:
        raise RuntimeError(f"only {len(ran)} functions ran")
    path.write_text("".join(f"{functions.names[at]}\n" for at in sorted(ran)))
    print(f"written: {path.name}, {len(ran):,} of {len(functions.names):,} functions")


class Functions:
    """The functions of a binary by address."""

    def __init__(self, binary):
        listed = subprocess.run(
            ["nm", "--print-size", "--numeric-sort", "--defined-only", binary], check=True, capture_output=True, text=True
        )  # fmt: skip
        found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwW] (.+)$", listed.stdout, re.MULTILINE)
        self.starts = [int(start, 16) for start, _, _ in found]
        self.ends = [int(start, 16) + int(size, 16) for start, size, _ in found]
        self.names = [name for _, _, name in found]

    def at(self, address):
        """Whose instruction lies there, as an index; None: nobody's that has a name."""
        at = bisect.bisect_right(self.starts, address) - 1
        return at if at >= 0 and address < self.ends[at] else None


def _addresses(file, binary):
    """Of the binary's instructions that ran, by callgrind with --dump-instr and nothing compressed."""
    is_ours = False
    with file.open() as lines:
        for line in lines:
            if line.startswith("ob="):
                is_ours = line[3:].strip().endswith(str(binary))
            elif is_ours and line.startswith("0x"):
                yield int(line.split(maxsplit=1)[0], 16)
