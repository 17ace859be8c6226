"""The stretches in which a budget counts, over daylight saving, leap years and year ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.resources import Period
from qtasks.resources.periods import EPOCH, Stretch, period_of, shown

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "America/St_Johns",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
"""Clocks that change at midnight, just past it, by half an hour, and one that left a day out, are among them."""
turning = st.sampled_from([p for p in Period if p is not Period.TOTAL])
moments = st.datetimes(datetime(1975, 1, 1), datetime(2120, 1, 1), timezones=st.just(UTC))


def of(period: Period, written: str, zone: str = "UTC") -> tuple[str, str]:
    """The stretch of a moment by the clock of `zone`, by the same clock."""
    found = period_of(period, datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)), zone)
    assert found.end is not None
    start, end = (moment.astimezone(ZoneInfo(zone)).isoformat() for moment in (found.start, found.end))
    return start, end


@given(turning, moments, st.sampled_from(ZONES))
def test_every_moment_lies_in_its_stretch_and_stretches_leave_no_gap(
    period: Period, moment: datetime, zone: str
) -> None:
    stretch = period_of(period, moment, zone)
    assert moment in stretch and stretch.end is not None
    assert period_of(period, stretch.start, zone) == stretch
    after = period_of(period, stretch.end, zone)
    assert after.start == stretch.end
    before = period_of(period, stretch.start - timedelta(microseconds=1), zone)
    assert before.end == stretch.start
    assert stretch.start.tzinfo is UTC and stretch.end.tzinfo is UTC


@given(moments, moments, turning, st.sampled_from(ZONES))
def test_two_moments_share_a_stretch_or_their_stretches_do_not_meet(
    one: datetime, other: datetime, period: Period, zone: str
) -> None:
    first, second = sorted([period_of(period, one, zone), period_of(period, other, zone)], key=lambda s: s.start)
    assert first == second or (first.end is not None and first.end <= second.start)


def test_a_day_has_23_hours_when_clocks_go_forward_and_25_when_they_go_back() -> None:
    for written, hours in (("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-10-26T12:00", 24)):
        moment = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        day = period_of(Period.DAILY, moment, "Europe/Berlin")
        assert day.end is not None and day.end - day.start == timedelta(hours=hours)


def test_a_month_begins_at_midnight_of_its_zone_in_winter_and_in_summer() -> None:
    berlin = "Europe/Berlin"
    assert of(Period.MONTHLY, "2026-03-15T10:00", berlin) == ("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00")
    october = period_of(Period.MONTHLY, datetime(2026, 9, 30, 22, 30, tzinfo=UTC), berlin)
    assert october.start == datetime(2026, 9, 30, 22, tzinfo=UTC)


def test_weeks_begin_on_monday_also_over_a_year_end() -> None:
    assert of(Period.WEEKLY, "2026-01-01T00:00") == ("2025-12-29T00:00:00+00:00", "2026-01-05T00:00:00+00:00")
    assert of(Period.WEEKLY, "2026-01-05T00:00")[0] == "2026-01-05T00:00:00+00:00"


def test_the_29th_of_february_is_a_day_of_its_month_and_its_year() -> None:
    leap = "2028-02-29T23:59:59.999999"
    assert of(Period.DAILY, leap) == ("2028-02-29T00:00:00+00:00", "2028-03-01T00:00:00+00:00")
    assert of(Period.MONTHLY, leap) == ("2028-02-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00")
    assert of(Period.YEARLY, leap) == ("2028-01-01T00:00:00+00:00", "2029-01-01T00:00:00+00:00")
    assert of(Period.MONTHLY, "2100-02-28T12:00")[1] == "2100-03-01T00:00:00+00:00"


def test_a_year_ends_with_the_last_microsecond_of_december() -> None:
    assert of(Period.YEARLY, "2026-12-31T23:59:59.999999") == ("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
    assert of(Period.DAILY, "2026-12-31T12:00")[1] == "2027-01-01T00:00:00+00:00"


def test_a_day_that_was_left_out_belongs_to_nobody() -> None:
    """Samoa went from 29 to 31 December 2011."""
    first = period_of(Period.DAILY, datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "Pacific/Apia")
    second = period_of(Period.DAILY, datetime(2011, 12, 30, 10, 0, tzinfo=UTC), "Pacific/Apia")
    assert first.end == second.start == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_an_hour_that_is_shown_again_after_midnight_counts_in_the_new_day() -> None:
    """Until 2011 the clocks of St. John's went back at 00:01, and showed an hour of the day before once more."""
    midnight = datetime(2010, 11, 7, tzinfo=ZoneInfo("America/St_Johns")).astimezone(UTC)
    again = midnight + timedelta(minutes=30)
    assert again.astimezone(ZoneInfo("America/St_Johns")).day == 6
    assert period_of(Period.DAILY, again, "America/St_Johns").start == midnight


def test_a_total_never_ends() -> None:
    total = period_of(Period.TOTAL, datetime(2026, 1, 1, tzinfo=UTC), "UTC")
    assert total == Stretch(EPOCH, None) and datetime(3000, 1, 1, tzinfo=UTC) in total


def test_a_boundary_is_shown_with_its_zone() -> None:
    assert shown(datetime(2026, 11, 30, 23, tzinfo=UTC), "Europe/Berlin") == "2026-12-01 00:00 Europe/Berlin"


def test_a_moment_without_a_zone_is_not_guessed_at() -> None:
    with pytest.raises(TypeError):
        assert datetime(2026, 1, 1) in period_of(Period.DAILY, datetime(2026, 1, 1, tzinfo=UTC), "UTC")
