"""What the kernel knows of a proxy: CPU time and memory of its process tree."""

import dataclasses
import pathlib
import re

import processes


@dataclasses.dataclass(frozen=True)
class Cpu:
    """CPU time so far, in seconds; `user` and `system` are sampled by the kernel's tick."""

    total: float
    user: float
    system: float

    def __sub__(self, earlier):
        return Cpu(
            self.total - earlier.total, self.user - earlier.user, self.system - earlier.system
        )

    def split(self):
        """User and system time whose sum is the exact total."""
        sampled = self.user + self.system
        share = self.user / sampled if sampled > 0 else 0.5
        return self.total * share, self.total * (1 - share)


def cpu(pid):
    """Of all threads that live; the proxies' threads do not end under load."""
    total, user, system = 0, 0, 0
    for process in processes.process_tree(pid):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
        # The fields after the name, which is in parentheses and may have spaces.
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return Cpu(total / 1e9, user / 100, system / 100)


def resident_bytes(pid):
    """Resident memory, pages that processes share counted once."""
    kib = 0
    for process in processes.process_tree(pid):
        rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
        kib += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])
    return kib * 1024
