import asyncio
import runpy
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.compile.dns import Zone, ZoneOptions
from switchboard.serve.dns.packet import HEADER
from switchboard.serve.dns.responder import Responder
from switchboard.serve.dns.upstream import Recorded, UpstreamError
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedPort, NamedService, Names

CORPUS = runpy.run_path(str(Path(__file__).parents[2] / "cases" / "dns" / "corpus.py"))
CASES = CORPUS["cases"]()
ENDPOINTS = tuple(NamedEndpoint((f"10.1.{i // 250}.{i % 250}",)) for i in range(300))
WEB = NamedService(namespace="shop", name="web", addresses=("10.96.0.1",), ports=(NamedPort("http", "TCP", 80),))
BIG = NamedService(
    namespace="shop", name="big", headless=True, groups=(EndpointGroup(ENDPOINTS, (NamedPort("h", "TCP", 80),)),)
)
ALIAS = NamedService(namespace="shop", name="out", external_name="db.example.com")
NAMES = Names(services=(ALIAS, BIG, WEB), namespaces=("shop",))


class Broken:
    async def ask(self, name, kind):
        raise UpstreamError


def server(upstream=None):
    return Responder(Zone(ZoneOptions(), NAMES), upstream, secret=b"secret", clock=lambda: 1000.0)


def ask(responder, name, kind="A", **options):
    query = dns.message.make_query(name, kind, **options)
    reply = responder.reply(query.to_wire(), "192.0.2.1")
    message = dns.message.from_wire(reply if isinstance(reply, bytes) else asyncio.run(reply))
    assert query.is_response(message)
    return message


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_recorded_answers(case):
    assert CORPUS["play"](case) == []


def test_the_cases_are_there():
    assert len(CASES) >= 74


def test_a_wrong_recording_is_noticed():
    case = next(case for case in CASES if case["id"] == "svc-a")
    for key, value in (("rcode", "NXDOMAIN"), ("answers", []), ("aa", False)):
        first = {**case["queries"][0], "expect": {**case["queries"][0]["expect"], key: value}}
        assert CORPUS["play"]({**case, "queries": [first]})


def test_each_spelling_comes_back_from_the_same_stored_answer():
    responder = server()
    for name in ("web.shop.svc.cluster.local.", "WEB.shop.SVC.cluster.Local."):
        answer = ask(responder, name)
        assert answer.answer[0].to_text() == f"{name} 5 IN A 10.96.0.1"


def test_a_changed_service_is_in_the_next_answer():
    responder = server()
    ask(responder, "web.shop.svc.cluster.local")
    changed = NamedService(namespace="shop", name="web", addresses=("10.96.0.7",))
    responder.zone.put(changed)
    assert ask(responder, "web.shop.svc.cluster.local").answer[0][0].to_text() == "10.96.0.7"


def test_addresses_come_in_turn():
    responder = server()
    first = {ask(responder, "big.shop.svc.cluster.local", use_edns=0, payload=8192).answer[0].to_rdataset()[0].to_text()
             for _ in range(8)}  # fmt: skip
    assert len(first) == 4


@pytest.mark.parametrize(("kind", "group", "rcode"), [("AXFR", "IN", "REFUSED"), ("A", "CH", "REFUSED"),
                                                      ("MX", "IN", "NOERROR"), ("ANY", "IN", "NOERROR")])  # fmt: skip
def test_other_kinds_of_questions(kind, group, rcode):
    query = dns.message.make_query("web.shop.svc.cluster.local", kind, group)
    answer = dns.message.from_wire(server().reply(query.to_wire()))
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert not answer.answer


def test_an_unknown_version_of_edns():
    query = dns.message.make_query("web.shop.svc.cluster.local", "A", use_edns=1)
    assert dns.message.from_wire(server().reply(query.to_wire())).rcode() == dns.rcode.BADVERS


def test_cookies_come_back_with_ours():
    option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
    found = ask(server(), "web.shop.svc.cluster.local", use_edns=0, options=[option]).options[0]
    assert found.client == b"12345678"
    assert len(found.server) == 16
    again = ask(server(), "web.shop.svc.cluster.local", use_edns=0, options=[option]).options[0]
    assert found.server == again.server


def test_names_outside_need_an_upstream():
    assert ask(server(), "example.org").rcode() == dns.rcode.REFUSED
    assert ask(server(Recorded()), "example.org").rcode() == dns.rcode.NXDOMAIN
    assert ask(server(Broken()), "example.org").rcode() == dns.rcode.SERVFAIL


def test_an_alias_whose_target_cannot_be_asked_for():
    answer = ask(server(Broken()), "out.shop.svc.cluster.local")
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert answer.answer[0][0].to_text() == "db.example.com."
    assert ask(server(), "out.shop.svc.cluster.local").rcode() == dns.rcode.NOERROR


QUERIES = st.builds(
    lambda name, kind, size, edns, extra: (
        dns.message.make_query(name, kind, use_edns=0 if edns else None, payload=size if edns else 0).to_wire(), extra
    ),
    st.sampled_from(["web.shop.svc.cluster.local", "_h._tcp.big.shop.svc.cluster.local", "big.shop.svc.cluster.local",
                     "out.shop.svc.cluster.local", "nosuch.cluster.local", "1-2-3-4.shop.pod.cluster.local",
                     "cluster.local", "example.org", "."]),
    st.sampled_from(["A", "AAAA", "SRV", "PTR", "NS", "SOA", "TXT", "CNAME", "ANY"]),
    st.integers(0, 65535),
    st.booleans(),
    st.binary(max_size=4),
)  # fmt: skip
SHARED = server(Recorded())


def check(packet, tcp, most):
    reply = SHARED.reply(packet, "192.0.2.1", tcp=tcp)
    if reply is not None and not isinstance(reply, bytes):
        reply = asyncio.run(reply)
    if reply is not None:
        assert len(reply) <= most
        assert reply[:2] == packet[:2]
        dns.message.from_wire(reply, ignore_trailing=False)


@given(QUERIES, st.booleans())
def test_answers_are_never_larger_than_allowed(query, tcp):
    packet, _ = query
    parsed = dns.message.from_wire(packet)
    check(packet, tcp, 65535 if tcp else max(512, min(parsed.payload, 65507)) if parsed.edns >= 0 else 512)


@given(QUERIES, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6), st.integers(0, 80))
def test_broken_packets_are_answered_or_dropped(query, changes, cut):
    packet = bytearray(query[0] + query[1])
    for at, value in changes:
        if at < len(packet):
            packet[at] = value
    packet = bytes(packet[: max(0, len(packet) - cut)])
    reply = SHARED.reply(packet)
    if reply is not None and not isinstance(reply, bytes):
        reply = asyncio.run(reply)
    assert reply is None or len(reply) >= HEADER


@given(st.binary(max_size=100))
def test_any_bytes_at_all(packet):
    reply = SHARED.reply(packet)
    if reply is not None and not isinstance(reply, bytes):
        asyncio.run(reply)
