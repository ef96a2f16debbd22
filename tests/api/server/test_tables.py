from datetime import UTC, datetime, timedelta

import pytest

from switchboard.api.server.tables import age, duration, moment_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-9, "<invalid>"), (0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (2700, "45m"), (10800, "3h"),
     (18720, "5h12m"), (90000, "25h"), (3 * 86400 + 4 * 3600, "3d4h"), (40 * 86400, "40d"), (760 * 86400, "2y30d"),
     (3650 * 86400, "10y")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text


def test_ages():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age("2025-12-31T23:59:50Z", now) == "10s"
    assert age(None, now) == age("yesterday", now) == "<unknown>"
    assert moment_of("2026-01-01T02:00:00+02:00") == now
