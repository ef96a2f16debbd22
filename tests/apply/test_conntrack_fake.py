from __future__ import annotations

import msgspec

from switchboard.apply.conntrack_fake import FakeConntrack
from switchboard.rules.conntrack import Flow

FLOW = Flow("udp", "10.0.0.1", "10.96.0.1", 1001, 53, "10.244.0.1", 5353)


def test_forgets_what_it_is_told():
    stream = msgspec.structs.replace(FLOW, protocol="tcp")
    fake = FakeConntrack([FLOW, stream])
    assert fake.udp_flows() == (FLOW,)
    fake.forget([FLOW, FLOW])
    assert fake.flows == (stream,)
