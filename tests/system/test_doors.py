"""Every door a user comes through, on one stack as `qtasks up` starts it: the same counts for the same seed."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from qiskit import QuantumCircuit, qpy

from qtasks import Client
from qtasks.primitives import QTasksBackend, SamplerV2
from qtasks.settings import Settings
from tests.page.forms import Browser
from tests.support.circuits import BELL_QASM
from tests.support.servers import eventually, free_port
from tests.support.stack import Stack

pytestmark = pytest.mark.system

SHOTS, SEED = 1000, 42
FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "qpy": "application/x-qpy",
    "pickle": "application/x-pickle",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("doors")
    made = Stack(Settings(home=folder / "home"), folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(stack: Stack) -> str:
    port = free_port()
    up = stack.run("up", "--flower-port", "0", "--api-port", str(port))
    eventually(lambda: "Ctrl-C stops it" in up.text, seconds=90, what="the stack being up")
    return f"http://127.0.0.1:{port}"


def qtasks(stack: Stack, *arguments: str) -> bytes:
    command = [sys.executable, "-m", "qtasks.cli", *arguments]
    environment = {**stack.settings.environment(), "PATH": "/usr/bin:/bin", "HOME": str(stack.folder)}
    return subprocess.run(command, env=environment, cwd=stack.folder, check=True, capture_output=True).stdout


def counts_of(name: str, data: bytes) -> dict[str, int]:
    """The counts in a result as each format has them."""
    if name == "json":
        counts = json.loads(data)["counts"]
    elif name == "csv":
        counts = {row["outcome"]: int(row["count"]) for row in csv.DictReader(io.StringIO(data.decode()))}
    elif name == "qpy":
        (circuit,) = qpy.load(io.BytesIO(data))
        counts = circuit.metadata["qtasks"]["counts"]
    else:
        counts = pickle.loads(data)["counts"]
    return dict(counts)


def test_python_rest_the_command_line_and_the_page_give_the_same_counts(stack: Stack, address: str) -> None:
    circuit = QuantumCircuit.from_qasm_str(BELL_QASM)
    (stack.folder / "bell.qasm").write_text(BELL_QASM)
    found: dict[str, dict[str, int]] = {}

    with stack.client() as client:
        found["python"] = client.submit(circuit, shots=SHOTS, seed_simulator=SEED).result(60).get_counts()
        (pub,) = SamplerV2(client=client, seed_simulator=SEED).run([circuit], shots=SHOTS).result()
        found["sampler"] = pub.join_data().get_counts()
        ran = QTasksBackend("local_simulator", client=client).run(circuit, shots=SHOTS, seed_simulator=SEED)
        found["backend"] = ran.result().get_counts()

    with Client(Settings(home=stack.folder / "other", api_url=address)) as remote:
        found["python over REST"] = remote.submit(circuit, shots=SHOTS, seed_simulator=SEED).result(60).get_counts()

    with httpx.Client(base_url=address, timeout=90) as rest:
        options = {"name": "by-rest", "shots": SHOTS, "seed_simulator": SEED}
        sent = rest.post("/v1/jobs", params=options, content=BELL_QASM, headers={"Content-Type": "text/plain"})
        assert sent.status_code == 201, sent.text
        assert rest.get("/v1/jobs/by-rest", params={"wait": 60}).json()["status"]["phase"] == "Completed"
        for name, kind in FORMATS.items():
            answer = rest.get("/v1/jobs/by-rest/result", headers={"Accept": kind})
            assert answer.status_code == 200, answer.text
            found[f"REST as {name}"] = counts_of(name, answer.content)

    run = qtasks(
        stack, "run", "bell.qasm", "--shots", str(SHOTS), "--seed", str(SEED), "--name", "by-cli", "-o", "json"
    )
    found["command line"] = json.loads(run)["counts"]
    for name in FORMATS:
        qtasks(stack, "results", "by-cli", "--format", name, "-o", f"counts.{name}")
        found[f"command line as {name}"] = counts_of(name, Path(stack.folder / f"counts.{name}").read_bytes())

    browser = Browser(address)
    try:
        form = browser.get("/submit")
        sent = browser.send(form, "/submit", code=BELL_QASM, shots=str(SHOTS), seed=str(SEED), name="by-page")
        assert sent.status_code == 303, sent.text
        where = sent.headers["location"]
        page = eventually(lambda: (p := browser.get(where)).text.count("is-completed") and p, what="the end").text
    finally:
        browser.http.close()
    rows = re.findall(r'title="([01]+)">\1</th>.*?class="number">([\d,]+)<', page, re.DOTALL)
    found["page"] = {outcome: int(count.replace(",", "")) for outcome, count in rows}

    expected = found["python"]
    assert sum(expected.values()) == SHOTS and set(expected) == {"00", "11"}
    assert {door: counts for door, counts in found.items() if counts != expected} == {}
