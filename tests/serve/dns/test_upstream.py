import asyncio

import dns.message
import dns.rcode
import dns.rrset
import pytest

from switchboard.compile._dns_records import wire_name
from switchboard.serve.dns.upstream import Forwarder, UpstreamError, servers_of

NAME = wire_name("www.example.com")
ONE, TWO = ("192.0.2.1", 53), ("192.0.2.2", 53)


class Outside:
    """Servers that answer, are silent or fail; and a clock."""

    def __init__(self, **behaviour):
        self.behaviour = behaviour
        self.asked = []
        self.now = 0.0

    async def exchange(self, query, server, seconds):
        await asyncio.sleep(0)
        self.asked.append(server)
        said = self.behaviour.get(f"s{server[0][-1]}", "answer")
        if said == "silent":
            raise TimeoutError
        response = dns.message.make_response(query)
        if said == "fail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif said == "nothing":
            response.set_rcode(dns.rcode.NXDOMAIN)
            soa = "ns.example.com. me.example.com. 1 2 3 4 30"
            response.authority.append(dns.rrset.from_text("example.com.", 300, "IN", "SOA", soa))
        else:
            response.answer.append(dns.rrset.from_text("www.example.com.", 60, "IN", "A", "192.0.2.80"))
        return response


def forwarder(outside, *servers):
    return Forwarder(servers or (ONE, TWO), lambda: outside.now, exchange=outside.exchange)


def test_an_answer_is_kept_for_its_time_and_grows_old():
    async def run():
        outside = Outside()
        asked = forwarder(outside)
        assert (await asked.ask(NAME, 1)).answers[0].ttl == 60
        outside.now = 59.5
        assert (await asked.ask(NAME, 1)).answers[0].ttl == 1
        assert len(outside.asked) == 1
        outside.now = 60.0
        await asked.ask(NAME, 1)
        assert len(outside.asked) == 2

    asyncio.run(run())


def test_a_negative_answer_is_kept_as_long_as_its_zone_says():
    async def run():
        outside = Outside(s1="nothing")
        asked = forwarder(outside)
        for now in (0.0, 29.0, 30.0):
            outside.now = now
            assert (await asked.ask(NAME, 1)).rcode == 3
        assert len(outside.asked) == 2

    asyncio.run(run())


@pytest.mark.parametrize("fault", ["silent", "fail"])
def test_the_next_server_is_asked_and_then_first(fault):
    async def run():
        outside = Outside(s1=fault)
        asked = forwarder(outside)
        await asked.ask(NAME, 1)
        await asked.ask(NAME, 28)
        assert outside.asked == [ONE, TWO, TWO]

    asyncio.run(run())


def test_all_servers_silent_is_an_error_after_two_rounds():
    async def run():
        outside = Outside(s1="silent", s2="silent")
        with pytest.raises(UpstreamError):
            await forwarder(outside).ask(NAME, 1)
        assert outside.asked == [ONE, TWO, ONE, TWO]

    asyncio.run(run())


def test_equal_questions_at_one_time_are_asked_once():
    async def run():
        outside = Outside()
        asked = forwarder(outside)
        await asyncio.gather(*(asked.ask(NAME, 1) for _ in range(5)))
        assert len(outside.asked) == 1

    asyncio.run(run())


def test_servers_are_written_with_or_without_port():
    assert servers_of(["192.0.2.1", "192.0.2.2:54", "fd00::1", "[fd00::2]:55", "[fd00::3]"]) == [
        ("192.0.2.1", 53), ("192.0.2.2", 54), ("fd00::1", 53), ("fd00::2", 55), ("fd00::3", 53)]  # fmt: skip
    for wrong in ("dns.example", "192.0.2.1:0", "192.0.2.1:x"):
        with pytest.raises(ValueError):  # noqa: PT011 - of three modules
            servers_of([wrong])
