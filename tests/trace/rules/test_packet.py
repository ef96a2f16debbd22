from __future__ import annotations

from switchboard.trace.rules.packet import Host, Outcome, Packet, Verdict


def test_what_is_local():
    host = Host(("172.20.0.1", "fd00:20::1"))
    assert [host.local(a) for a in ("172.20.0.1", "127.0.0.2", "::1", "fd00:20::1", "10.0.0.1")] == [True] * 4 + [False]


def test_families_and_endpoints():
    packet = Packet(source="fd00::1", destination="fd00::2", protocol="TCP", port=80)
    assert packet.family == 6
    assert Outcome(verdict=Verdict.PASSED, address="fd00::2", port=80).endpoint == "[fd00::2]:80"
    assert Outcome(verdict=Verdict.PASSED, address="10.0.0.1", port=80).endpoint == "10.0.0.1:80"
