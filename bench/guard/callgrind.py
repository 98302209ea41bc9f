"""Processes under callgrind: user instructions, by thread."""

import os
import pathlib
import re
import signal
import subprocess

# What the C library would choose by the size of the machine's caches. Instructions that repeat
# themselves (`rep stosb`) would count once for each byte, so it is told to do without. Everything else
# that looks at the processor sees valgrind's, which is the same on every machine with AVX2.
NEVER = "0x10000000"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GLIBC_TUNABLES": f"glibc.cpu.x86_rep_movsb_threshold={NEVER}:glibc.cpu.x86_rep_stosb_threshold={NEVER}"
    f":glibc.cpu.x86_non_temporal_threshold={NEVER}",
}


class Counted:
    """A process whose instructions are counted from when it is told to."""

    OPTIONS = ["--instr-atstart=no", "--separate-threads=yes"]

    def __init__(self, command, folder: pathlib.Path):
        self.folder = folder
        self.dumps = 0
        self.output = open(folder / "log", "w")
        self.process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", *self.OPTIONS,
             f"--vgdb-prefix={folder}/vgdb", f"--callgrind-out-file={folder}/callgrind.out", *command],
            stdout=self.output, stderr=self.output, stdin=subprocess.DEVNULL, env=ENVIRONMENT,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def log(self):
        return (self.folder / "log").read_text()[-3000:]

    def start_counting(self):
        self._tell("instrumentation on")

    def take(self):
        """What each thread executed since the last time: total and file, by its number."""
        self._tell("dump")
        self.dumps += 1
        files = self.folder.glob(f"callgrind.out.{self.dumps}-*")
        return {file.name.rpartition("-")[2]: (_total(file), file) for file in files}

    def _tell(self, command):
        subprocess.run(
            ["vgdb", f"--vgdb-prefix={self.folder}/vgdb", f"--pid={self.process.pid}", *command.split()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


class Traced(Counted):
    """A process of which every instruction that runs is in the files that it leaves at its end."""

    OPTIONS = ["--dump-instr=yes", "--compress-strings=no", "--compress-pos=no"]

    def start_counting(self):
        """It has from its start."""

    def files(self):
        return list(self.folder.glob("callgrind.out*"))


def count_function(name, command, out: pathlib.Path):
    """Instructions of a command of one thread while it is in functions of that name; kept in `out`."""
    subprocess.run(
        ["valgrind", "--tool=callgrind", f"--toggle-collect=*{name}*", f"--callgrind-out-file={out}", *command],
        check=True, capture_output=True, env=ENVIRONMENT,
    )  # fmt: skip
    return _total(out)


def _total(file):
    return int(re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.MULTILINE)[1])
