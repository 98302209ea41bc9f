"""Starting and ending processes, and where they run."""

import os
import resource
import signal
import socket
import subprocess

# The proxies and their clients, with connections to spare.
DESCRIPTORS = 65536


def spawn(stack, folder, command, **options):
    """Starts a process that ends with `stack`; its output goes to `folder`/log."""
    folder.mkdir(parents=True, exist_ok=True)
    log = stack.enter_context(open(folder / "log", "w"))
    process = subprocess.Popen(
        command, **{"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL} | options
    )
    stack.callback(stop, process)
    return process


def stop(process):
    """Ends it, by force when it takes more than some seconds to do so itself."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        for pid in [*process_tree(process.pid)][::-1]:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def process_tree(pid):
    """`pid` and its descendants (nginx works in children)."""
    yield pid
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            found = children.read().split()
    except FileNotFoundError:
        return
    for child in found:
        yield from process_tree(int(child))


def on_core_of_proxies(command):
    """The proxies share one core; what serves and asks them has the others."""
    return ["taskset", "--cpu-list", "0", *command] if os.cpu_count() > 1 else command


def on_other_cores(command):
    last = os.cpu_count() - 1
    return ["taskset", "--cpu-list", f"1-{last}", *command] if last > 0 else command


def free_ports(count):
    """Ports that neither TCP nor UDP uses, outside the range that connections get theirs from."""
    ports = []
    candidates = iter(range(20000 + os.getpid() % 5000, 32000))
    while len(ports) < count:
        port = next(candidates)
        if port not in _given and is_free(port):
            ports.append(port)
            _given.add(port)
    return ports


_given = set()


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (DESCRIPTORS, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
            return
        except (ValueError, PermissionError):
            continue
