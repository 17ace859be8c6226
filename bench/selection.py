"""How long a choice takes, how good it is, and how fair the turns are: the figures of docs/scheduling.md.

    python -m bench.selection [--quick] [--write docs/scheduling.md]

A choice is good when the circuit comes out well: every candidate is simulated under its noise model, and its counts are
held against the ideal ones.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench import fair_shares, report
from bench.figures import percentile
from qtasks.backends.aer import AerBackend
from qtasks.backends.catalogue import figures_of
from qtasks.backends.ibm_simulator import IBMSimulatorBackend
from qtasks.backends.modelled import capabilities_of
from qtasks.backends.protocol import BackendError, Program
from qtasks.backends.snapshots import Snapshots
from qtasks.backends.threads import Cores
from qtasks.circuits import formats
from qtasks.circuits.analysis import analyse
from qtasks.circuits.fingerprint import fingerprint
from qtasks.resources import BackendType
from qtasks.resources.backend import PRESETS, Preset
from qtasks.scheduling.candidates import AccountFacts, JobFacts
from qtasks.scheduling.choosing import Chooser
from qtasks.scheduling.selection import Selection
from qtasks.store import Store, catalogue, schema
from qtasks.store.catalogue import Figures, Listed
from tests.support.servers import Postgres

CIRCUITS = Path(__file__).parents[1] / "tests" / "data" / "circuits"
DEVICES = (
    "nairobi", "lagos", "melbourne", "guadalupe", "singapore", "algiers", "mumbai", "peekskill", "prague", "brooklyn",
    "washington", "brisbane", "sherbrooke", "nighthawk", "torino", "fez",
)  # fmt: skip
"""Canary, Falcon, Hummingbird, Egret, Eagle, Heron, Nighthawk, and one from before the families; 7 to 156 qubits."""
POOLS = {
    "all": DEVICES,
    "older": tuple(device for device in DEVICES if device not in ("nighthawk", "torino", "fez", "prague")),
}
"""One device of the newest family is the best for nearly every circuit; without the newest the choice is harder."""
RUN = ("bell_n4", "wstate_n3", "toffoli_n3", "fredkin_n3", "qft_n4", "adder_n4", "qec_en_n5", "pea_n5", "simon_n6",
       "qaoa_n3", "adder_n10", "dnn_n8")  # fmt: skip
QUICK = ("bell_n4", "toffoli_n3", "adder_n4", "simon_n6")
SHOTS, DRAWS, SEED = 4096, 200, 20261120
_BEGIN, _END = "<!-- figures of bench.selection -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How well one circuit came out, by who chose the device."""

    pool: str
    circuit: str
    two_qubit_gates: int
    chosen_device: str
    expected: float
    by: Mapping[str, float]


def account(name: str) -> AccountFacts:
    return AccountFacts(name, BackendType.IBM_QUANTUM, "pay-as-you-go")


def circuit_of(name: str) -> Any:
    return formats.read((CIRCUITS / f"{name}.qasm").read_bytes(), formats.QASM2)


def facts_of(circuit: Any, namespace: str = "bench") -> JobFacts:
    return JobFacts(
        namespace=namespace,
        fingerprint=fingerprint(circuit),
        analysis=analyse(circuit),
        types=(BackendType.IBM_QUANTUM,),
        shots=SHOTS,
        weights=PRESETS[Preset.PERFORMANCE_OPTIMIZED],
    )


def fill(store: Store, accounts: Mapping[str, Sequence[str]], pending: Callable[[str], int]) -> None:
    """Put the snapshots' devices into the catalogue, under these accounts, as if their provider had told of them."""
    snapshots, known = Snapshots(), dict[str, Figures]()
    with store.begin() as tx:
        for name, devices in accounts.items():
            listed = [Listed(name=device, type="ibm_quantum", pending_jobs=pending(device)) for device in devices]
            catalogue.keep_listing(tx, name, listed)
            for device in devices:
                if device not in known:
                    snapshot = snapshots.load(f"fake_{device}")
                    known[device] = figures_of(device, capabilities_of(snapshot), snapshot.calibration)
                catalogue.keep_figures(tx, name, known[device])


def speed(store: Store, *, quick: bool) -> dict[str, tuple[float, float, float]]:
    """p50 and p95 in ms, and the median of this process's processor time, of one choice among 100 candidates: when
    their fidelities are known, and of the first choice of a circuit on warm and on cold pass managers."""
    names = [name.removeprefix("fake_") for name in Snapshots().names()]
    wide = [name for name in names if Snapshots().qubits(f"fake_{name}") >= 5]
    half = (wide * 2)[:100]
    accounts = {"lab-a": half[:50], "lab-b": half[50:]}
    fill(store, accounts, lambda device: len(device))
    chooser, stands = Chooser(store), [account(name) for name in accounts]
    measured: dict[str, list[tuple[float, float]]] = {"first": [], "warm": [], "cached": []}
    for place, name in enumerate(QUICK if quick else RUN):
        circuit = circuit_of(name)
        if circuit.num_qubits > 5:
            continue
        data, facts = formats.dump(circuit), facts_of(circuit)
        rounds = [("first" if place == 0 else "warm")] + ["cached"] * (10 if quick else 40)
        for kind in rounds:
            started, busy = time.perf_counter(), time.process_time()
            selection = chooser.choose(facts, stands, lambda data=data: data)  # type: ignore[misc]
            took = ((time.perf_counter() - started) * 1000, (time.process_time() - busy) * 1000)
            measured[kind].append(took)
            assert len(selection.rows) == 100, len(selection.rows)
    return {
        kind: (percentile(wall, 0.5), percentile(wall, 0.95), median(busy))
        for kind, (wall, busy) in ((kind, list(zip(*pairs, strict=True))) for kind, pairs in measured.items() if pairs)
    }


class Simulated:
    """Hellinger fidelity of a circuit's counts on the model of a device, against the ideal distribution."""

    def __init__(self, folder: Path) -> None:
        cores = Cores(folder / "cores", 2)
        self._noisy, self._ideal = IBMSimulatorBackend(cores), AerBackend(cores)

    def fidelity(self, data: bytes, device: str, ideal: Mapping[str, int]) -> float:
        from qiskit.quantum_info import hellinger_fidelity

        program = Program("bench", data, SHOTS, seed_simulator=SEED, seed_transpiler=0, device=f"fake_{device}")
        return float(hellinger_fidelity(_counts(self._noisy.run([program])[0]), dict(ideal)))

    def ideal(self, data: bytes) -> Mapping[str, int]:
        return _counts(self._ideal.run([Program("bench", data, 200_000, seed_simulator=SEED)])[0])


def _counts(ran: Any) -> dict[str, int]:
    if isinstance(ran, BackendError):
        raise ran
    return dict(ran.counts)


def quality(store: Store, folder: Path, *, quick: bool) -> list[Outcome]:
    """Each circuit on every device that can hold it, and what each way of choosing would have got."""
    random_queue = random.Random(SEED)
    queues = {device: random_queue.randint(0, 400) for device in DEVICES}
    fill(store, POOLS, queues.__getitem__)
    chooser, simulated, snapshots = Chooser(store), Simulated(folder), Snapshots()
    found = []
    for name in QUICK if quick else RUN:
        circuit = circuit_of(name)
        data, facts = formats.dump(circuit), replace(facts_of(circuit), weights=PRESETS[Preset.PERFORMANCE_OPTIMIZED])
        ideal, got = simulated.ideal(data), dict[str, float]()
        for pool in POOLS:
            selection = chooser.choose(facts, [account(pool)], lambda data=data: data)  # type: ignore[misc]
            able = [row.device for row in selection.best_first()]
            got |= {device: simulated.fidelity(data, device, ideal) for device in able if device not in got}
            widest = max(able, key=lambda device: (snapshots.qubits(f"fake_{device}"), device))
            draw = random.Random(f"{SEED}{name}")
            idle = [min(able, key=lambda _: draw.random()) for _ in range(DRAWS)]
            here = {device: got[device] for device in able}
            found.append(_outcome(pool, name, facts, selection, here, widest, idle))
        report.progress(f"  {name}: {', '.join(one.chosen_device for one in found[-len(POOLS) :])}")
    return found


def _outcome(
    pool: str,
    name: str,
    facts: JobFacts,
    selection: Selection,
    got: Mapping[str, float],
    widest: str,
    idle: Sequence[str],
) -> Outcome:
    chosen = selection.chosen
    assert chosen is not None
    by = {
        "chosen": got[chosen.device],
        "random": fmean(got.values()),
        "most qubits": got[widest],
        "least busy": fmean(got[device] for device in idle),
        "best": max(got.values()),
    }
    return Outcome(pool, name, facts.analysis.two_qubit_gates, chosen.device, chosen.fidelity.value or 0.0, by)


def page(
    speeds: Mapping[str, Mapping[str, tuple[float, float, float]]], outcomes: Sequence[Outcome], drawing: str
) -> str:
    """The figures as Markdown."""
    lines = [f"Measured on {datetime.now(UTC):%Y-%m-%d}: {report.machine()}.", "", "### How long a choice takes", ""]
    lines += [
        "Milliseconds for one job over 100 candidates; *processor* is the median of this process's own time.",
        "",
        "| | p50 | p95 | processor | target |",
        "|---|---|---|---|---|",
    ]
    words = {
        "cached": ("fidelities known", "p50 ≤ 20"),
        "warm": ("a circuit seen for the first time, pass managers kept", ""),
        "first": ("the first choice of a process", ""),
    }
    for database, kinds in speeds.items():
        for kind, (what, target) in words.items():
            if kind in kinds:
                figures = " | ".join(f"{figure:.1f}" for figure in kinds[kind])
                lines.append(f"| {database}: {what} | {figures} | {target} |")
    lines += ["", "### How good it is", ""]
    lines += [
        f"Hellinger fidelity of the counts under each device's noise model ({SHOTS:,} shots) to the ideal "
        f"distribution; {len(DEVICES)} devices of 7 to 156 qubits, `performance-optimized`. *Random* is the mean over "
        f"all devices that can hold the circuit, *most qubits* the largest, *least busy* the mean of {DRAWS} draws of "
        "random queues, *best* what nobody knows before. *Expected* is the figure that the choice was made by.",
        "",
    ]
    heads = {
        "all": f"All {len(DEVICES)} devices:",
        "older": f"The {len(POOLS['older'])} that are left without the newest families (Nighthawk, Heron, Egret), "
        "where the choice is harder:",
    }
    for pool, head in heads.items():
        lines += [head, "", *_table([one for one in outcomes if one.pool == pool]), ""]
    return "\n".join([*lines, "### How fair it is", "", *_fairness(drawing)])


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [
        "| circuit | two-qubit gates | chosen | expected | fidelity | random | most qubits | least busy | best |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = ("chosen", "random", "most qubits", "least busy", "best")
    for one in outcomes:
        figures = " | ".join(f"{one.by[name]:.3f}" for name in names)
        lines.append(
            f"| {one.circuit} | {one.two_qubit_gates} | {one.chosen_device} | {one.expected:.3f} | {figures} |"
        )
    means = " | ".join(f"**{fmean(one.by[name] for one in outcomes):.3f}**" for name in names)
    return [*lines, f"| **mean** | | | {fmean(one.expected for one in outcomes):.3f} | {means} |"]


def _fairness(drawing: str) -> list[str]:
    order = fair_shares.served()
    lines = [
        f"{len(order):,} jobs of one priority in ten namespaces, taken one by one by `scheduling.fairness.turns`. "
        f"`{fair_shares.LATE}` submits its jobs when {fair_shares.LATE_AT} have started: it gets its share from then "
        "on, and nothing for having been away. *Off* is how many turns the namespace that is farthest from its due is "
        "away from it.",
        "",
        f"![Jobs started of each namespace]({drawing})",
        "",
        "| turns | with work | chem ×4 | optics ×3 | ml ×2 | each ×1 | off |",
        "|---|---|---|---|---|---|---|",
    ]
    for stretch in fair_shares.stretches(order):
        share = [
            f"{stretch.had[name] / (stretch.end - stretch.start):.1%} (due "
            f"{stretch.due[name] / (stretch.end - stretch.start):.1%})"
            if name in stretch.due
            else "–"
            for name in ("chem", "optics", "ml")
        ]
        ones = [name for name in stretch.due if name.startswith("team-")]
        each = "–"
        if ones:
            low, high = min(stretch.had[one] for one in ones), max(stretch.had[one] for one in ones)
            each = f"{low}–{high} (due {stretch.due[ones[0]]:.1f})"
        if stretch.end - stretch.start > 5:
            turns = f"{stretch.start}–{stretch.end}"
            lines.append(f"| {turns} | {len(stretch.due)} | {' | '.join(share)} | {each} | {stretch.most_off:.1f} |")
    return lines


def main() -> int:
    """Measure; 0 when the choice among 100 candidates is fast enough and better than every simple way."""
    parser = argparse.ArgumentParser(prog="python -m bench.selection", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer circuits and rounds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures into this page, the drawing beside")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qtasks-bench-") as scratch:
        folder = Path(scratch)
        server = Postgres(folder / "postgres").create()
        try:
            urls = {"PostgreSQL": server.database("speed"), "SQLite": f"sqlite:///{folder / 'speed.db'}"}
            speeds = {}
            for database, url in urls.items():
                report.progress(f"100 candidates on {database} …")
                with_store(url, lambda store, name=database: speeds.update({name: speed(store, quick=given.quick)}))
            report.progress("circuits under noise models …")
            outcomes: list[Outcome] = []
            url = f"sqlite:///{folder / 'quality.db'}"
            with_store(url, lambda store: outcomes.extend(quality(store, folder, quick=given.quick)))
        finally:
            server.stop()
    text = page(speeds, outcomes, "fair-shares.svg")
    print(text)
    if given.write:
        _write(given.write, text)
    means = {
        (pool, name): fmean(one.by[name] for one in outcomes if one.pool == pool)
        for pool in POOLS
        for name in outcomes[0].by
    }
    good = all(
        means[pool, "chosen"] >= means[pool, name] for pool in POOLS for name in ("random", "most qubits", "least busy")
    )
    return 0 if good and all(kinds["cached"][0] <= 20 for kinds in speeds.values()) else 1


def with_store(url: str, use: Callable[[Store], object]) -> None:
    store = Store(url)
    try:
        schema.upgrade(store)
        use(store)
    finally:
        store.close()


def _write(path: Path, text: str) -> None:
    path.with_name("fair-shares.svg").write_text(fair_shares.svg(fair_shares.served()))
    before = path.read_text()
    body = f"{_BEGIN}\n{text}\n{_END}"
    path.write_text(re.sub(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", lambda _: body, before, flags=re.DOTALL))


if __name__ == "__main__":
    sys.exit(main())
