from datetime import UTC, datetime, timedelta

import pytest

from switchboard.run.time_zones import time_zone


def test_a_zone_knows_its_offset():
    zone = time_zone("Asia/Kolkata")
    assert datetime(2026, 1, 1, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=5, minutes=30)


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "/etc/passwd", "", "Europe", "a\0b"])
def test_what_is_no_zone_is_none(name):
    assert time_zone(name) is None
