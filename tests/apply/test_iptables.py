from __future__ import annotations

import os

import pytest

from switchboard.apply.iptables import KernelIptables
from switchboard.apply.iptables_fake import FakeIptables
from switchboard.apply.netns import create
from switchboard.apply.process import run
from switchboard.base.errors import MachineError
from switchboard.rules.iptables import parse

pytestmark = pytest.mark.live
TEXT = (
    "*nat\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n-A KUBE-A -p udp -m udp --dport 53 -j KUBE-B\n"
    "-I OUTPUT 1 -j KUBE-A\nCOMMIT\n"
)


@pytest.fixture
def namespace():
    descriptor = create()
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("family", [4, 6])
def test_kernel_and_fake_hold_the_same(namespace, family):
    kernel, fake = KernelIptables(namespace), FakeIptables()
    for iptables in (kernel, fake):
        iptables.restore(family, TEXT)
        iptables.restore(family, "")
        iptables.restore(family, "*nat\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n-A KUBE-A -j ACCEPT\n-X KUBE-B\nCOMMIT\n")
    held, _ = parse(kernel.save(family), family)
    faked, _ = parse(fake.save(family), family)
    assert faked.tables["nat"].items() <= held.tables["nat"].items()
    assert parse(kernel.save(10 - family), 10 - family)[0].tables == {}


def test_a_refusal_names_the_fault_and_changes_nothing(namespace):
    kernel = KernelIptables(namespace)
    kernel.restore(4, TEXT)
    before = parse(kernel.save(4), 4)
    with pytest.raises(MachineError) as refused:
        kernel.restore(4, "*nat\n:KUBE-C - [0:0]\n-A KUBE-C -j KUBE-GONE\nCOMMIT\n")
    assert refused.value.reference == "iptables-refused"
    assert "KUBE-GONE" in refused.value.message
    with pytest.raises(MachineError) as refused:
        kernel.restore(4, "*nat\n:KUBE-C - [0:0]\n-A KUBE-C --nonsense\nCOMMIT\n")
    assert refused.value.context == "-A KUBE-C --nonsense"
    assert parse(kernel.save(4), 4) == before


def test_loopback_is_let_out_in_the_namespace_only(namespace):
    KernelIptables(namespace).route_loopback()
    read = ("cat", "/proc/sys/net/ipv4/conf/all/route_localnet")
    assert (run(read, netns=namespace).stdout, run(read).stdout) == ("1\n", "0\n")
