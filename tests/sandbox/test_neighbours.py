"""A stuck or hostile child never delays another's: good circuits are answered while hostile ones run to their ends."""

from __future__ import annotations

import threading
import time

import pytest

from qtasks.circuits.sandbox import Limits, Source
from tests.sandbox.asking import BELL, QASM2, reasons
from tests.sandbox.users import Attacked

# Far over what a good one takes on a busy machine, far under the deadline that the stuck ones run to.
SOON, STUCK = 2.0, 4.0
STUCK_SOURCES = {
    "sleeping": "import time\ntime.sleep(60)",
    "silent": "import os\nos.read(3, 1)",
    "blocked": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "waiting": "import select\nselect.select([], [], [])",
    "half an answer": "import os\nos.write(3, b'\\0')\nos.read(3, 1)",
    "looping": "while True: pass",
}


@pytest.mark.system
def test_good_circuits_are_answered_while_hostile_ones_are_stuck(attacked: Attacked) -> None:
    """Each hostile source is a request of its own, as from workers of their own."""
    found: dict[str, str] = {}

    def stick(name: str) -> None:
        found[name] = attacked.reason(STUCK_SOURCES[name], Limits(wall_seconds=STUCK))

    threads = [threading.Thread(target=stick, args=(name,)) for name in STUCK_SOURCES]
    for thread in threads:
        thread.start()
    waits = []
    while any(thread.is_alive() for thread in threads):
        before = time.monotonic()
        good = attacked.sandbox.check([Source("p", "python", BELL.encode()), Source("q", "qasm2", QASM2)])
        waits.append(time.monotonic() - before)
        assert reasons(good) == ["ok", "ok"]
        time.sleep(0.05)
    assert found == dict.fromkeys(STUCK_SOURCES, "ValidationTimeout")
    assert len(waits) > 5 and max(waits) < SOON


@pytest.mark.system
def test_a_hostile_one_in_a_call_costs_its_neighbours_no_more_than_its_own_time(attacked: Attacked) -> None:
    started = time.monotonic()
    sources = [
        Source("l", "python", b"while True: pass"),
        Source("p", "python", BELL.encode()),
        Source("q", None, QASM2),
    ]
    found = attacked.sandbox.check(sources, Limits(wall_seconds=0.6))
    assert reasons(found) == ["ValidationTimeout", "ok", "ok"]
    assert 0.6 <= time.monotonic() - started < 4


@pytest.mark.system
def test_a_stuck_qpy_or_openqasm_takes_only_itself_out_of_its_batch(attacked: Attacked) -> None:
    slow = b'OPENQASM 2.0; include "qelib1.inc"; qreg q[100000]; creg c[1];' + b"h q;" * 5000 + b"measure q[0] -> c[0];"
    sources = [Source("a", None, QASM2), Source("slow", "qasm2", slow), Source("b", None, QASM2)]
    found = attacked.sandbox.check(sources, Limits(wall_seconds=1.5))
    assert reasons(found)[0] == reasons(found)[2] == "ok" and reasons(found)[1] in (
        "ValidationTimeout",
        "SandboxMemory",
    )


@pytest.mark.system
def test_a_client_that_goes_away_takes_its_child_along(attacked: Attacked) -> None:
    """The fixture waits for the children to be gone: none of them may stay until its deadline of a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qtasks.circuits.sandbox.wire.Reader.frame", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            attacked.ask("import time\ntime.sleep(60)", Limits(wall_seconds=60))


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
