import pytest

from switchboard.compile.resolver import (
    Resolver,
    aliases_of,
    candidates,
    hosts_file,
    pod_resolver,
    read_resolver,
    with_config,
)

HOST = Resolver(servers=("192.0.2.1",), searches=("example.org",))
CLUSTER = Resolver(
    servers=("10.96.0.10",),
    searches=("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"),
    options=("ndots:5",),
)


@pytest.mark.parametrize(
    ("policy", "host_network", "wanted"),
    [
        ("ClusterFirst", False, CLUSTER),
        ("ClusterFirst", True, HOST),
        ("ClusterFirstWithHostNet", True, CLUSTER),
        ("Default", False, HOST),
        ("None", False, Resolver()),
    ],
)
def test_the_policy_chooses(policy, host_network, wanted):
    assert pod_resolver(policy, "shop", HOST, "10.96.0.10", "cluster.local", host_network=host_network) == wanted


def test_a_pods_own_settings_are_added():
    found = with_config(CLUSTER, ["10.96.0.10", "192.0.2.9"], ["corp"], [("ndots", "2"), ("edns0", "")])
    assert found.text() == (
        "search shop.svc.cluster.local svc.cluster.local cluster.local example.org corp\n"
        "nameserver 10.96.0.10\nnameserver 192.0.2.9\noptions ndots:2 edns0\n"
    )
    assert found.ndots == 2


def test_a_file_is_read_as_it_is_written():
    assert read_resolver(CLUSTER.text()) == CLUSTER
    assert read_resolver("# nothing\nnameserver\nsearch a\nsearch b c\n") == Resolver(searches=("b", "c"))


def test_hosts_have_the_pods_names_and_aliases():
    text = hosts_file("10.1.0.1", ("a.db.shop.svc.cluster.local", "a"), [("192.0.2.7", ("x", "y"))])
    assert "10.1.0.1\ta.db.shop.svc.cluster.local\ta\n" in text
    assert text.endswith("# Entries added by HostAliases.\n192.0.2.7\tx\ty\n")
    assert aliases_of(text)["y"] == "192.0.2.7"


def test_names_with_enough_dots_are_tried_first_as_they_are():
    assert candidates("a.b", ("x", "y."), 2) == ("a.b.x.", "a.b.y.", "a.b.")
    assert candidates("a.b", ("x",), 1) == ("a.b.", "a.b.x.")
    assert candidates("a.b", ("x",), 1, musl=True) == ("a.b.",)
    assert candidates("a.b.", ("x",), 5) == ("a.b.",)
