from __future__ import annotations

import pytest

from switchboard.apply.iptables_fake import FakeIptables
from switchboard.base.errors import MachineError

START = "*nat\n:KUBE-A - [0:0]\n-A KUBE-A -j ACCEPT\nCOMMIT\n"


@pytest.mark.parametrize(
    "lines",
    [
        "-A KUBE-GONE -j ACCEPT",
        "-A KUBE-A -j KUBE-GONE",
        "-X KUBE-A",
        "-D KUBE-A -j DROP",
        "-Z KUBE-A",
    ],
)
def test_what_the_kernel_refuses_changes_nothing(lines):
    fake = FakeIptables()
    fake.restore(4, START)
    before = fake.save(4)
    with pytest.raises(MachineError) as refused:
        fake.restore(4, f"*nat\n:KUBE-B - [0:0]\n{lines}\nCOMMIT\n")
    assert refused.value.reference == "iptables-refused"
    assert fake.save(4) == before
    assert fake.texts == [(4, START)]


def test_families_are_apart_and_a_colon_empties():
    fake = FakeIptables()
    fake.restore(4, START)
    assert fake.save(6) == ""
    fake.restore(4, "*nat\n:KUBE-A - [0:0]\n-I INPUT 1 -j KUBE-A\nCOMMIT\n")
    assert fake.save(4) == "*nat\n:INPUT ACCEPT [0:0]\n:KUBE-A - [0:0]\n-A INPUT -j KUBE-A\nCOMMIT\n"
    fake.restore(4, "")
    fake.route_loopback()
    assert (len(fake.texts), fake.loopback) == (2, True)
