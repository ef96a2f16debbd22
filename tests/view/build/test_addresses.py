from __future__ import annotations

import pytest

from switchboard.view.build.addresses import canonical_address, canonical_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("172.30.0.041", "172.30.0.41"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", None),
        ("10.0.0.256", None),
        ("10.0.0", None),
        ("", None),
        (7, None),
    ],
)
def test_address(value, expected):
    assert canonical_address(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" 10.1.2.3/8 ", "10.0.0.0/8"),
        ("10.01.0.0/16", "10.1.0.0/16"),
        ("fd00::1/64", "fd00::/64"),
        ("10.0.0.0/33", None),
        ("10.0.0.0/255.0.0.0", None),
        ("10.0.0.0", None),
        ("x/8", None),
        (None, None),
    ],
)
def test_range(value, expected):
    assert canonical_range(value) == expected
