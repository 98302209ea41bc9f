"""The result of a run, written again after every step (bench/README.md has its fields)."""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from peers import envoy, portcullis

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench/results"


class Results:
    """What was measured so far."""

    def __init__(self, proxies, scenarios, settings):
        commit = git("rev-parse", "--short", "HEAD")
        name = f"{datetime.date.today()}-{commit}" + ("-quick" if settings["quick"] else "")
        self.folder = pathlib.Path(os.environ.get("RESULTS", RESULTS / name))
        self.file = self.folder / "data-plane.json"
        self.facts = {
            "format": 1,
            "started": now(),
            "finished": None,
            "commit": commit,
            "dirty": bool(git("status", "--porcelain", "-uno")),
            "machine": machine(),
            "versions": versions(proxies),
            "settings": settings,
            "scenarios": [scenario.facts() for scenario in scenarios],
            "samples": [],
            "memory": [],
            "unable": [],
            "failed": [],
        }
        if os.environ.get("RESUME") and self.file.exists():
            self._resume(json.loads(self.file.read_text()))

    def _resume(self, earlier):
        """What was measured before stays; what failed is tried again."""
        for key in ("started", "samples", "memory", "unable"):
            self.facts[key] = earlier[key]
        known = {scenario["id"] for scenario in self.facts["scenarios"]}
        self.facts["scenarios"] += [
            scenario for scenario in earlier["scenarios"] if scenario["id"] not in known
        ]
        self.done = {(each["scenario"], each["proxy"], each["round"]) for each in earlier["samples"]}
        self.remembered = {each["proxy"] for each in earlier["memory"] if each["step"] == "removed"}

    done = frozenset()
    remembered = frozenset()

    def sample(self, scenario, proxy, round_number, done, rss):
        user, system = done.cpu.split()
        sample = {
            "scenario": scenario,
            "proxy": proxy,
            "round": round_number,
            "count": done.count,
            "wall_seconds": done.wall,
            "cpu_seconds": done.cpu.total,
            "user_seconds": user,
            "system_seconds": system,
            "bytes": done.bytes,
            "rss_bytes": rss,
        }
        if done.latency:
            sample["latency_seconds"] = done.latency
        self.facts["samples"].append(sample)

    def memory(self, proxy, step, rss):
        if step == "started":
            self.facts["memory"] = [each for each in self.facts["memory"] if each["proxy"] != proxy]
        self.facts["memory"].append({"proxy": proxy, "step": step, "rss_bytes": rss})

    def unable(self, scenario, proxy, reason):
        entry = {"scenario": scenario, "proxy": proxy, "reason": reason}
        if entry not in self.facts["unable"]:
            self.facts["unable"].append(entry)

    def failed(self, scenario, proxy, reason):
        reason = str(reason).replace(str(ROOT), "").strip()
        print(f"FAILED {scenario} {proxy}: {reason}", file=sys.stderr, flush=True)
        self.facts["failed"].append({"scenario": scenario, "proxy": proxy, "reason": reason[:500]})

    def write(self):
        """Numbers keep the digits that mean something."""
        self.facts["finished"] = now()
        self.folder.mkdir(parents=True, exist_ok=True)
        lists = ("scenarios", "samples", "memory", "unable", "failed")
        lines = [f" {json.dumps(key)}: {json.dumps(rounded(value))}"
                 for key, value in self.facts.items() if key not in lists]  # fmt: skip
        for key in lists:
            entries = ",\n".join(f"  {json.dumps(rounded(entry))}" for entry in self.facts[key])
            lines.append(f" {json.dumps(key)}: [\n{entries}\n ]")
        partial = self.file.with_name(".partial")
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        partial.rename(self.file)

    def keep_configuration(self, name, setting, configuration):
        """With one route, without what the machine's folders are called."""
        if not configuration:
            return
        text = (setting.folder / configuration).read_text()
        text = text.replace(str(setting.folder), "/run/bench")
        text = text.replace(str(setting.folder.parent), "/run")
        text = re.sub(r"(tls\.(?:crt|key)): \S+", r"\1: (base64)", text)
        folder = self.folder / "config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}{pathlib.Path(configuration).suffix}").write_text(text)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return value


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpus)
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "cores": os.cpu_count(),
        "model": model[1] if model else platform.machine(),
        "kernel": platform.release(),
        "memory_bytes": int(memory[1]) * 1024,
    }


def versions(proxies):
    commands = {
        "nginx": ["nginx", "-v"],
        "haproxy": ["haproxy", "-v"],
        "envoy": [str(envoy.binary()), "--version"] if "envoy" in proxies else None,
        "portcullis": [portcullis.binary(), "--version"],
        "h2load": ["h2load", "--version"],
    }
    found = {"python": platform.python_version()}
    for name, command in commands.items():
        if command and (name in proxies or name == "h2load"):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name] = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]
    if "pingora" in proxies:
        lock = (ROOT / "bench/pingora/Cargo.lock").read_text()
        found["pingora"] = re.search(r'name = "pingora-proxy"\nversion = "(.*)"', lock)[1]
    return found


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
