import asyncio
import socket

import dns.asyncquery
import dns.message
import msgspec
import pytest

from switchboard.compile.resolver import Resolver, hosts_file
from switchboard.run.pod_files import PodFiles
from switchboard.run.pod_names import ClusterNames, NamesChange, names_change
from switchboard.view.name import NamedService, Names, PodAddresses

WEB = NamedService(namespace="shop", name="web", addresses=("10.96.0.1",))
API = NamedService(namespace="shop", name="api", addresses=("10.96.0.2",))
FILES = PodFiles(
    Resolver(searches=("shop.svc.cluster.local", "svc.cluster.local", "cluster.local"), options=("ndots:5",)),
    hosts_file("10.1.0.1", ("self",), [("192.0.2.7", ("other",))]),
)


def test_a_change_is_what_differs():
    before = Names(services=(API, WEB), namespaces=("shop",))
    after = Names(services=(msgspec.structs.replace(WEB, addresses=("10.96.0.9",)),), namespaces=("shop",))
    change = names_change(before, after)
    assert change == NamesChange(services=after.services, removed=("shop/api",))
    assert names_change(after, after) is None
    pods = Names(pods=(PodAddresses("shop", ("10.1.0.1",)),))
    assert names_change(Names(), pods) == NamesChange(pods=pods.pods)


def test_changes_add_up_to_the_names():
    names = ClusterNames("cluster.local")
    steps = [Names(services=(WEB,), namespaces=("shop",)), Names(services=(API,), namespaces=("shop",)), Names()]
    before = Names()
    for after in steps:
        told = msgspec.to_builtins(names_change(before, after))
        names.change(msgspec.convert(told, NamesChange))
        before = after
        fresh = ClusterNames("cluster.local")
        fresh.change(names_change(Names(), after) or NamesChange())
        assert names.zone._nodes == fresh.zone._nodes


@pytest.mark.parametrize(
    ("host", "address"),
    [("web", "10.96.0.1"), ("web.shop", "10.96.0.1"), ("WEB.shop.svc.cluster.local.", "10.96.0.1"),
     ("192.0.2.1", "192.0.2.1"), ("localhost", "127.0.0.1"), ("self", "10.1.0.1"), ("other", "192.0.2.7")],
)  # fmt: skip
def test_a_stand_in_finds_what_its_pod_would(host, address):
    names = ClusterNames("cluster.local")
    names.change(NamesChange(services=(WEB,), namespaces=("shop",)))
    assert names.resolve(host, FILES) == address


@pytest.mark.parametrize("host", ["nosuch", "web.ops", "example.org", ""])
def test_other_names_are_not_found(host):
    with pytest.raises(socket.gaierror):
        ClusterNames("cluster.local").resolve(host, FILES)


def test_a_server_answers_changes_and_ends():
    async def run():
        names = ClusterNames("cluster.local")
        datagram = socket.socket(type=socket.SOCK_DGRAM)
        datagram.bind(("127.0.0.1", 0))
        port = datagram.getsockname()[1]
        await names.serve("dns", "10.1.0.53", [], [datagram])
        names.change(NamesChange(services=(WEB,)))
        query = dns.message.make_query("web.shop.svc.cluster.local", "A")
        answer = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=port)
        assert answer.answer[0][0].to_text() == "10.96.0.1"
        query = dns.message.make_query("ns.dns.cluster.local", "A")
        answer = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=port)
        assert answer.answer[0][0].to_text() == "10.1.0.53"
        await names.stop("dns")
        await names.stop("dns")

    asyncio.run(run())
