"""The process that fetches: a request on standard input, the answer on standard output. It runs no user's code."""

import os
import sys


def _begin() -> None:
    # -I leaves the working directory off the path: a checkout that is not installed is found from this file.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120
    if root not in sys.path:
        sys.path.append(root)
    from qtasks.circuits.sources.child import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _begin()
