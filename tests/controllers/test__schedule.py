from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.controllers import _schedule

BERLIN = ZoneInfo("Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "following"),
    [
        ("* * * * *", "2026-11-23T12:00", "2026-11-23T12:01"),
        ("*/15 * * * *", "2026-11-23T12:00", "2026-11-23T12:15"),
        ("7/20 * * * *", "2026-11-23T12:30", "2026-11-23T12:47"),
        ("0 9-17/4 * * *", "2026-11-23T12:00", "2026-11-23T13:00"),
        ("0,30 8 * * ?", "2026-11-23T12:00", "2026-11-24T08:00"),
        ("0 0 * * MON-FRI", "2026-11-27T12:00", "2026-11-30T00:00"),
        ("0 0 * feb sun", "2026-11-23T12:00", "2027-02-07T00:00"),
        ("0 0 13 * 5", "2026-11-23T12:00", "2026-11-27T00:00"),  # either day suffices
        ("0 0 13 * */2", "2026-11-23T12:00", "2026-11-24T00:00"),  # a step restricts
        ("0 0 29 2 *", "2026-11-23T12:00", "2028-02-29T00:00"),
        ("0 0 30 2 *", "2026-11-23T12:00", None),
        ("@hourly", "2026-11-23T12:00", "2026-11-23T13:00"),
        ("@weekly", "2026-11-23T12:00", "2026-11-29T00:00"),
        ("@monthly", "2026-11-23T12:00", "2026-12-01T00:00"),
        ("@yearly", "2026-11-23T12:00", "2027-01-01T00:00"),
        ("@every 1h30m", "2026-11-23T12:00", "2026-11-23T13:30"),
    ],
)
def test_next(schedule, after, following):
    found = _schedule.parse(schedule).next(at(after))
    assert found == (at(following) if following else None)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "5-1 * * * *",
     "*/0 * * * *", "x * * * *", "@reboot", "@every 0s", "@every soon", "1,,2 * * * *", "-1 * * * *", "¹ * * * *"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(_schedule.ScheduleError):
        _schedule.parse(text)


def test_the_zone_decides_when_the_day_begins():
    assert _schedule.parse("30 0 * * *", BERLIN).next(at("2026-11-23T12:00")) == at("2026-11-23T23:30")
    assert _schedule.parse("0 12 * * *", BERLIN).next(at("2026-07-01T12:00")) == at("2026-07-02T10:00")


def test_an_hour_that_the_clocks_leap_over_does_not_come():
    assert _schedule.parse("30 2 * * *", BERLIN).next(at("2026-03-28T12:00")) == at("2026-03-30T00:30")


def test_an_hour_that_the_clocks_repeat_comes_twice():
    schedule = _schedule.parse("30 2 25 10 *", BERLIN)
    first = schedule.next(at("2026-10-24T12:00"))
    assert (first, schedule.next(first)) == (at("2026-10-25T00:30"), at("2026-10-25T01:30"))


SOME = ("* * * * *", "*/7 3 * * *", "0 0 1 * *", "15 6 * * mon", "@every 90s", "0 0 30 2 *", "59 23 31 12 *")


@given(
    st.sampled_from(SOME),
    st.integers(0, 5_000_000),
    st.integers(0, 400_000),
)
def test_the_latest_is_the_last_of_all_that_follow(text, start, length):
    schedule = _schedule.parse(text, BERLIN)
    after = at("2026-01-01T00:00") + timedelta(seconds=start)
    until = after + timedelta(seconds=length)
    found, moment = None, schedule.next(after)
    while moment is not None and moment <= until:
        found, moment = moment, schedule.next(moment)
    assert schedule.latest(after, until) == found
