"""From the command line to a warm process that serves: its options, its layers tried, Qiskit imported."""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import socket
import sys
from pathlib import Path

from qtasks.circuits.sandbox import child
from qtasks.circuits.sandbox.layers import missing, prepare
from qtasks.circuits.sandbox.server import Server, warm
from qtasks.circuits.sandbox.server_socket import listen
from qtasks.circuits.sandbox.trial import as_data, trial


def main(arguments: list[str]) -> int:
    """Runs the server; see `--help`. Returns when the process that started it has ended."""
    options = _options(arguments)
    if options.pipe is not None:
        warm()  # before the limits: imports look for a temporary folder
        child.alone(options.pipe, json.loads(options.limits))
        return 0
    if (lacking := missing()) and not options.permissive:
        return _refuse(lacking)
    if options.trial:
        sys.stdout.write(json.dumps(as_data(trial(prepare()))) + "\n")
        return 0
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    if options.fd is not None:
        os.closerange(3, options.fd)
        os.closerange(options.fd + 1, 2**31 - 1)
        listener = socket.socket(fileno=options.fd)
    else:
        listener = listen(options.socket, mode=0o660)
    gc.disable()  # what Qiskit's import makes is no garbage: looking for some takes a tenth of it
    warm()
    os.environ.clear()
    layers = prepare()
    failing = [f"The layer {one.name!r} ({one.by}) does not hold." for one in trial(layers) if not one.holds]
    if failing and not options.permissive:
        return _refuse(failing)
    gc.collect()
    gc.freeze()  # children share these objects' pages: a collection in a child must not touch them
    gc.enable()
    numbers = {"spares": options.spares, "most": options.children, "growth": options.growth}
    if Server(listener, layers, parent=options.parent, **numbers).run():
        _begin_again(listener, options)
    if options.folder is not None and os.getppid() != options.parent:  # killed, or it would have done so itself
        shutil.rmtree(options.folder, ignore_errors=True)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m qtasks.circuits.sandbox", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="Unix socket to listen on, as a sidecar that runs by itself")
    where.add_argument("--fd", type=int, help="descriptor of a listening socket; ends with the process that started it")
    where.add_argument("--trial", action="store_true", help="let a child try every layer, tell what holds, and end")
    where.add_argument("--pipe", type=int, help="descriptor to answer one request on, unconfined, and end")
    parser.add_argument("--limits", help="that request's limits, as JSON")
    parser.add_argument("--parent", type=int, help="process id of the starter (with --fd)")
    parser.add_argument("--folder", type=Path, help="folder to remove when the starter has ended (with --fd)")
    parser.add_argument("--spares", type=int, default=2, help="children forked ahead of requests (2)")
    parser.add_argument("--children", type=int, default=64, help="children at a time; further requests wait (64)")
    parser.add_argument("--growth", type=int, default=64 * 2**20, help="bytes to grow by before starting anew (64 Mi)")
    parser.add_argument("--permissive", action="store_true", help="run even where the platform lacks layers")
    return parser.parse_args(arguments)


def _refuse(sentences: list[str]) -> int:
    hint = "See `qtasks doctor`. QTASKS_SANDBOX=permissive runs sources with the layers that there are."
    sys.stderr.write("\n".join(["The sandbox does not start:", *sentences, hint]) + "\n")
    return 78  # EX_CONFIG


def _begin_again(listener: socket.socket, options: argparse.Namespace) -> None:
    """This process from the start at the same socket: who connects meanwhile waits a second in the listener's queue."""
    listener.set_inheritable(True)
    kept = {name: getattr(options, name) for name in ("parent", "folder", "spares", "children", "growth")}
    arguments = [f"--{name}={value}" for name, value in kept.items() if value is not None]
    script = str(Path(__file__).with_name("__main__.py"))
    permissive = ["--permissive"] if options.permissive else []
    os.execv(sys.executable, [sys.executable, "-I", script, f"--fd={listener.fileno()}", *arguments, *permissive])
