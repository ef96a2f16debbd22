"""What control tells about itself; what it does is shown by tests/live/test_cluster.py."""

from __future__ import annotations

import msgspec

from switchboard.run.control import without_keys
from switchboard.view.model import View
from switchboard.view.route import Certificate, Gateway


def test_no_private_key_is_told_to_whoever_asks() -> None:
    certificate = Certificate(owner="Ingress a/b", secret="a/tls", hosts=("x",), chain="CHAIN", key="KEY")
    view = View(gateways=(Gateway(name="nginx", certificates=(certificate, certificate)), Gateway(name="other")))
    told = without_keys(view)
    text = msgspec.json.encode(told)
    assert b"KEY" not in text
    assert text.count(b"CHAIN") == 2
    assert [gateway.name for gateway in told.gateways] == ["nginx", "other"]
    assert view.gateways[0].certificates[0].key == "KEY"
