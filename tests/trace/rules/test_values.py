from __future__ import annotations

import pytest

from switchboard.trace.rules.values import address_fits, name_fits, number_fits, protocol_fits
from switchboard.trace.rules.walk import RefusedError


@pytest.mark.parametrize(
    ("address", "pattern", "fits"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1", "10.0.0.0/255.0.0.0", True),
        ("11.0.0.1", "10.0.0.0/8", False),
        ("10.0.0.5", "10.0.0.1-10.0.0.5", True),
        ("10.0.0.6", "10.0.0.1-10.0.0.5", False),
        ("fd00::1", "fd00::/8", True),
        ("::1", "0.0.0.0/0", False),
    ],
)
def test_addresses(address, pattern, fits):
    assert address_fits(address, pattern) is fits


@pytest.mark.parametrize(
    ("pattern", "separator", "fits"),
    [
        ("80", "-", True),
        ("81", "-", False),
        ("1-80", "-", True),
        ("81:", ":", False),
        (":80", ":", True),
        ("0x50", "-", True),
    ],
)
def test_numbers(pattern, separator, fits):
    assert number_fits(80, pattern, separator) is fits


@pytest.mark.parametrize("refused", [lambda: address_fits("10.0.0.1", "host"), lambda: number_fits(80, "http")])
def test_names_for_values_are_refused(refused):
    with pytest.raises(RefusedError):
        refused()


def test_protocols_and_interfaces():
    assert [protocol_fits("tcp", p) for p in ("tcp", "6", "udp", "17", "all")] == [True, True, False, False, True]
    assert [name_fits("pod3", p, "*") for p in ('"pod*"', '"pod3"', "pod", '"*"')] == [True, True, False, True]
    assert name_fits("eth0", "eth+", "+")
