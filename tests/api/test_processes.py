"""The processes of `qtasks api`: killed, stopped, waited on by many, and spoken to under TLS."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
import trustme

from tests.api.conftest import Api, Scene, job, too_large
from tests.support.servers import eventually

pytestmark = pytest.mark.system


def _children(api: Api) -> list[int]:
    """The processes that serve: the children of the supervisor that have the port's application loaded."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == api.process.popen.pid and "spawn_main" in command:
                found.append(int(folder.name))
    return found


def test_nothing_that_was_answered_is_lost_when_a_process_is_killed(scene: Scene) -> None:
    api = scene.serve(QTASKS_API_WORKERS="2", QTASKS_API_RATE="none")
    api.wait_until_ready()
    before = set(_children(api))
    answered: list[str] = []
    broken = 0
    ended = threading.Event()

    def send() -> None:
        nonlocal broken
        with api.caller("olga") as olga:
            while not ended.is_set():
                try:
                    answer = olga.post("/v1/jobs", json=too_large())
                except httpx.TransportError:
                    broken += 1
                    continue
                assert answer.status_code == 201, answer.text
                answered.append(answer.json()["metadata"]["uid"])

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for victim in sorted(before):
            count = len(answered)
            eventually(lambda count=count: len(answered) > count + 20, what="submits being answered")
            os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(set(_children(api)) - before) == 2, seconds=60, what="both being started again")
        count = len(answered)
        eventually(lambda: len(answered) > count + 20, seconds=60, what="submits being answered again")
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
    assert broken, "no request met the kill"
    with api.caller("olga") as olga:
        for start in range(0, len(answered), 1000):
            phases = olga.post("/v1/jobs/phases", json={"ids": answered[start : start + 1000]})
            assert phases.status_code == 200 and len(phases.json()["phases"]) == len(answered[start : start + 1000])
            olga.post("/v1/jobs/cancel", json={"ids": answered[start : start + 1000]})
    api.process.stop()


def test_a_stop_finishes_what_was_asked_and_ends_all_waiting_at_once(scene: Scene) -> None:
    api = scene.serve()
    api.wait_until_ready()
    with api.caller("alice") as alice:
        job_id = alice.post("/v1/jobs", json=too_large()).json()["metadata"]["uid"]
    polled: list[httpx.Response] = []
    streamed: list[str] = []

    def poll() -> None:
        with api.caller("alice") as alice:
            polled.append(alice.get(f"/v1/jobs/{job_id}", params={"wait": 60}))

    def stream() -> None:
        headers = {"Accept": "text/event-stream"}
        with api.caller("alice") as alice, alice.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
            streamed.extend(answer.iter_lines())

    threads = [threading.Thread(target=poll), threading.Thread(target=stream)]
    for thread in threads:
        thread.start()

    def waiting() -> bool:
        lines = Path(f"/proc/{api.process.popen.pid}/net/tcp").read_text().splitlines()
        return sum(f":{api.port:04X} " in line.split()[1] + " " and line.split()[3] == "01" for line in lines[1:]) >= 2

    eventually(waiting, what="both being connected")
    with api.caller("alice") as alice:
        alice.get("/v1/whoami")
    started = time.monotonic()
    api.process.popen.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    assert api.process.popen.wait(30) == 0
    assert time.monotonic() - started < 10
    assert polled[0].json()["metadata"]["uid"] == job_id
    assert any("Submitted" in line for line in streamed)


def test_many_who_wait_keep_nobody_from_submitting(scene: Scene) -> None:
    url = f"{scene.api.url}/v1/jobs"

    async def meet() -> tuple[list[httpx.Response], float]:
        limits = httpx.Limits(max_connections=300)
        headers = scene.api.headers("olga")
        async with httpx.AsyncClient(headers=headers, timeout=90, limits=limits) as olga:
            job_id = (await olga.post(url, json=too_large())).json()["metadata"]["uid"]
            waiting = [asyncio.create_task(olga.get(f"{url}/{job_id}", params={"wait": 50})) for _ in range(200)]
            await asyncio.sleep(0)
            times = []
            for _ in range(20):
                started = time.perf_counter()
                assert (await olga.post(url, json=job())).status_code == 201
                times.append(time.perf_counter() - started)
            await olga.post(f"{url}/{job_id}/cancel")
            return await asyncio.gather(*waiting), sorted(times)[10]

    answers, median = asyncio.run(meet())
    assert {answer.json()["status"]["phase"] for answer in answers} == {"Cancelled"}
    # Two hundred threads for them would be more than there are; each would wait its fifty seconds.
    assert median < 1


def test_the_api_speaks_tls_and_may_ask_for_a_certificate(scene: Scene, tmp_path: Path) -> None:
    authority, theirs = trustme.CA(), trustme.CA()
    ours = authority.issue_cert("127.0.0.1")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in ours.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    theirs.cert_pem.write_to_path(tmp_path / "clients.pem")
    api = scene.serve(
        QTASKS_API_TLS_CERT=str(tmp_path / "cert.pem"),
        QTASKS_API_TLS_KEY=str(tmp_path / "key.pem"),
        QTASKS_API_TLS_CLIENT_CA=str(tmp_path / "clients.pem"),
    )
    import ssl

    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    theirs.issue_cert("client.example").configure_cert(trusting)
    api.wait_until_ready(verify=trusting)
    nameless = ssl.create_default_context()
    authority.configure_trust(nameless)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{api.url}/healthz", verify=nameless)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{api.port}/healthz")
    api.process.stop()
