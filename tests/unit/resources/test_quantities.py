"""Quantities, durations and money keep their text, compare by value, and refuse what is neither."""

import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.resources import Duration, Money, Quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8Gi", 8 * 2**30),
        ("10Gi", 10 * 2**30),
        ("1Ki", 1024),
        ("1k", 1000),
        ("1E", 10**18),
        ("12E6", 12_000_000),
        ("1e3", 1000),
        ("1.5Mi", 1_572_864),
        ("4", 4),
        (2, 2),
        ("100m", 1),
    ],
)
def test_a_quantity_is_a_whole_number_of_bytes_rounded_up(text, amount):
    assert Quantity(text).bytes == amount


@pytest.mark.parametrize(("text", "cores"), [("500m", 0.5), ("1", 1.0), (2, 2.0), (0.5, 0.5), ("250000u", 0.25)])
def test_a_quantity_is_a_number_of_cores(text, cores):
    assert Quantity(text).cores == cores


def test_quantities_are_exact():
    assert Quantity("1.123456789Ei").value == Decimal("1.123456789") * 2**60
    assert Quantity("0.1").value == Decimal("0.1") == Quantity(0.1).value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8GB",
        "-1Gi",
        "Gi",
        "8 Gi",
        "8Gi\n",
        "1e",
        "1e999",
        "9Ei",
        "0x10",
        "٤",
        "inf",
        float("nan"),
        True,
        None,
        [8],
        pytest.param(10**5000, id="huge"),
    ],
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r'is not a Quantity: a number, with one of the suffixes .* such as "8Gi"'):
        Quantity(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("3600s", 3600),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("7d", 604_800),
        ("1m500ms", 60.5),
        ("90", 90),
        (3600, 3600),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_a_number_of_seconds(text, seconds):
    assert Duration(text).seconds == seconds


@pytest.mark.parametrize(
    "text", ["", "-5s", "s", "30m1h", "30s30s", "1 h", "36501d", "1y", True, None, -1, float("inf")]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r'is not a Duration: .* such as "1h30m"'):
        Duration(text)


@pytest.mark.parametrize(
    ("text", "micros", "shown"),
    [
        ("$10.00", 10_000_000, "$10.00"),
        ("10", 10_000_000, "$10.00"),
        (10, 10_000_000, "$10.00"),
        (10.1, 10_100_000, "$10.10"),
        ("$0.000001", 1, "$0.000001"),
        ("$0.00145", 1450, "$0.00145"),
        ("-$1.50", -1_500_000, "-$1.50"),
        (Decimal("1.60"), 1_600_000, "$1.60"),
    ],
)
def test_money_is_a_whole_number_of_micro_dollars(text, micros, shown):
    assert Money(text).micros == micros
    assert str(Money(text)) == shown
    assert Money.from_micros(micros) == Money(text)


@pytest.mark.parametrize(
    "text", ["", "$", "10 EUR", "€10", "1,000", "$0.0000001", "$1e3", True, None, 10**13, float("nan")]
)
def test_what_is_no_money_is_refused(text):
    with pytest.raises(ValueError, match="is not a Money: US dollars with at most 6 decimals"):
        Money(text)


@pytest.mark.parametrize(
    ("kind", "one", "other", "more"),
    [(Quantity, "1Gi", "1024Mi", "1025Mi"), (Duration, "1h", 3600, "61m"), (Money, "$10.00", 10, "$10.01")],
)
def test_equal_values_are_equal_however_they_are_written(kind, one, other, more):
    assert kind(one) == kind(other) < kind(more)
    assert len({kind(one), kind(other), kind(more)}) == 2
    assert kind(one).written == one
    assert pickle.loads(pickle.dumps(kind(one))).written == one


def test_money_is_no_quantity():
    assert Money(1) != Quantity(1)


@pytest.mark.parametrize("value", [Quantity("1Gi"), Duration("1h"), Money("$1")])
def test_a_value_never_changes(value):
    with pytest.raises(AttributeError):
        value.value = Decimal(0)
    with pytest.raises((AttributeError, TypeError)):
        value.other = 1


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_money_survives_the_way_through_micros_and_text(micros):
    assert Money.from_micros(micros).micros == micros
    assert Money(str(Money.from_micros(micros))).micros == micros


@given(st.integers(0, 10**9), st.sampled_from(["", "m", "k", "Mi", "G", "Gi", "e3"]))
def test_a_quantity_survives_the_way_through_its_text(number, suffix):
    quantity = Quantity(f"{number}{suffix}")
    assert Quantity(str(quantity)) == quantity
    assert quantity.bytes - 1 < quantity.value <= quantity.bytes


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(days, hours, minutes, seconds, thousandths):
    duration = Duration(f"{days}d{hours}h{minutes}m{seconds}s{thousandths}ms")
    assert duration.value == ((days * 24 + hours) * 60 + minutes) * 60 + seconds + Decimal(thousandths) / 1000
    assert Duration(str(duration)) == duration


@given(st.floats(0, 1e6))
def test_a_plain_number_means_exactly_what_its_digits_say(number):
    number = round(number, 6)
    assert Money(number).value == Quantity(number).value == Duration(number).value == Decimal(repr(number))
