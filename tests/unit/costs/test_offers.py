"""Braket's price list: read from AWS's own format, kept, and used in place of what this release knows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qtasks.config import Config
from qtasks.costs.offers import offered_prices
from qtasks.costs.prices import current_prices, list_prices, read_prices
from qtasks.costs.provider import braket_cost, ibm_cost
from qtasks.costs.refresh import fetch_offers, offers_address, write_prices
from qtasks.errors import InvalidInput, Unavailable
from qtasks.resources.prices import Price, Unit

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
IBEX = "arn:aws:braket:eu-north-1::device/qpu/aqt/Ibex-Q1"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"

_COLUMNS = (
    '"SKU","OfferTermCode","RateCode","TermType","PriceDescription","EffectiveDate","StartingRange","EndingRange",'
    '"Unit","PricePerUnit","Currency","Product Family","serviceCode","Location","Location Type","Device Name",'
    '"DeviceName","Version","usageType","operation","Region Code","serviceName"'
)


def _row(unit: str, price: str, family: str, device: str, version: str, operation: str, region: str) -> str:
    cells = [
        "S",
        "J",
        "S.J.6",
        "OnDemand",
        "a, b",
        "2026-11-01",
        "0",
        "Inf",
        unit,
        price,
        "USD",
        family,
        "AmazonBraket",
    ]
    cells += ["Somewhere", "AWS Region", "", device, version, "U", operation, region, "Amazon Braket"]
    return ",".join(f'"{cell}"' for cell in cells)


OFFERS = "\n".join(
    [
        '"FormatVersion","v1.0"',
        '"Disclaimer","This pricing list is for informational purposes only. All prices are subject to the terms"',
        '"Publication Date","2026-11-02T17:03:44Z"',
        '"Version","20261102170344"',
        '"OfferCode","AmazonBraket"',
        _COLUMNS,
        _row("Task", "0.3000000000", "Quantum Task", "Garnet", "", "", "eu-north-1"),
        _row("Shot", "0.0015000000", "Quantum Task-Shot", "Garnet", "", "", "eu-north-1"),
        _row("Task", "0.3000000000", "Quantum Task", "IBEX-Q1", "", "", "eu-north-1"),
        _row("Shot", "0.0235000000", "Quantum Task-Shot", "IBEX-Q1", "", "", "eu-north-1"),
        _row("minutes", "0.0750000000", "Simulator Task", "", "SV1", "CompleteTask", "us-east-1"),
        _row("minutes", "0.0900000000", "Simulator Task", "", "SV1", "CompleteTask", "eu-west-2"),
        _row("minutes", "0.0000000000", "Simulator Task", "", "SV1", "FailTask", "us-east-1"),
        _row("hours", "7000.0000000000", "Quantum Reservation", "Garnet", "", "", "eu-north-1"),
        _row("Shot", "0.0099000000", "Braket Managed Jobs QPU Task Shot", "Garnet", "", "", "eu-north-1"),
    ]
)


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/index.csv"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(OFFERS.encode() if found else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_what_is_fetched_and_kept_counts_in_place_of_the_list_prices(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAKET_PRICE_OFFERS_URL", f"{server}/index.csv")
    address = offers_address()
    kept = tmp_path / "home" / "prices.yaml"
    assert current_prices(refreshed=kept) == list_prices()
    write_prices(offered_prices(fetch_offers(address), source=address), kept)
    prices = current_prices(refreshed=kept)
    cost = braket_cost(GARNET, 100, prices=prices)
    assert cost.amount == Decimal("0.45")
    assert cost.price == f"$0.3 a task ({address}, 2026-11-02) + $0.0015 a shot ({address}, 2026-11-02)"
    assert braket_cost(IBEX, 100, prices=prices).amount == Decimal("2.65")
    assert braket_cost(SV1, 1, duration_seconds=60, prices=prices).amount == Decimal("0.09")
    assert braket_cost("arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1", 1, prices=prices).amount == Decimal("0.38")
    assert list(kept.parent.iterdir()) == [kept]


def test_prices_of_the_configuration_count_in_place_of_all_others(tmp_path: Path) -> None:
    kept = tmp_path / "prices.yaml"
    write_prices(offered_prices(OFFERS), kept)
    own = read_prices(kept.read_text()).prices[0].model_dump(by_alias=True) | {"item": GARNET, "unit": "shot"}
    config = Config.model_validate({"prices": [{**own, "amount": "0.001", "source": "our contract"}]})
    cost = braket_cost(GARNET, 100, prices=current_prices(config.prices, refreshed=kept))
    assert cost.amount == Decimal("0.40") and "our contract" in cost.price
    assert ibm_cost(1, "flex", prices=current_prices(config.prices)).amount == Decimal("1.2")


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    kept = tmp_path / "prices.yaml"
    for amount in ("1", "2"):
        entry = {"provider": "ibm_quantum", "item": "flex", "unit": "second", "source": "us", "date": "2026-11"}
        write_prices([Price.model_validate({**entry, "amount": amount})], kept)
        assert ibm_cost(1, "flex", prices=current_prices(refreshed=kept)).amount == Decimal(amount)


@pytest.mark.parametrize(
    "text", ["", "<html>", OFFERS.replace("AmazonBraket", "AmazonEC2"), OFFERS.replace('"USD"', '"EUR"')]
)
def test_what_is_no_offer_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        offered_prices(text)
    assert caught.value.reason == "InvalidPrices"


def test_a_price_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a price"):
        offered_prices(OFFERS.replace("0.0015000000", "free"))


def test_a_price_below_a_micro_dollar_is_rounded_up() -> None:
    (shot,) = [
        p for p in offered_prices(OFFERS.replace("0.0015", "0.00000012")) if p.unit is Unit.SHOT and "Garnet" in p.item
    ]
    assert shot.amount.micros == 1


def test_an_address_that_does_not_answer_changes_nothing(server: str) -> None:
    for address in (f"{server}/gone.csv", "http://127.0.0.1:1/index.csv"):
        with pytest.raises(Unavailable) as caught:
            fetch_offers(address)
        assert caught.value.reason == "PricesUnavailable"


_SDK = """
from braket.tracking.pricing import price_search
(shot,) = price_search(**{"Region Code": "eu-north-1", "DeviceName": "Garnet", "Product Family": "Quantum Task-Shot"})
(minute,) = price_search(**{"Region Code": "eu-west-2", "Version": "SV1", "Product Family": "Simulator Task",
    "operation": "CompleteTask"})
print(shot["PricePerUnit"], minute["PricePerUnit"], minute["Unit"])
"""


@pytest.mark.system
def test_amazons_own_library_reads_the_same_file_the_same_way(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAKET_PRICE_OFFERS_URL", f"{server}/index.csv")
    done = subprocess.run([sys.executable, "-c", _SDK], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["0.0015000000", "0.0900000000", "minutes"]
