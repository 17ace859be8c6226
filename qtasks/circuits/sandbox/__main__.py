"""The sandbox's warm process: `python -m qtasks.circuits.sandbox --socket PATH`, or started by a worker's `Sandbox`.

It begins by running itself again with an environment of its own making: nothing of the starter's environment may stay
in a process whose children run users' code, and the thread counts must be set before NumPy is imported.
"""

import os
import sys

ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "QISKIT_PARALLEL": "FALSE",
    "MIMALLOC_ARENA_RESERVE": "4096",
}


def _begin() -> None:
    if sys.platform != "linux" and not any(argument.startswith("--pipe=") for argument in sys.argv):
        sys.exit("The sandbox for circuits needs Linux.")
    if dict(os.environ) != ENVIRONMENT or not sys.flags.isolated:
        here = os.path.abspath(__file__)  # noqa: PTH100 - pathlib is not needed yet, and this runs before anything else
        permissive = ["--permissive"] if os.environ.get("QTASKS_SANDBOX") == "permissive" else []
        os.execve(sys.executable, [sys.executable, "-I", here, *sys.argv[1:], *permissive], ENVIRONMENT)
    # -I leaves the working directory off the path: a checkout that is not installed is found from this file.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120
    if root not in sys.path:
        sys.path.append(root)
    from qtasks.circuits.sandbox.launch import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _begin()
