import struct

import dns.edns
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.serve.dns.packet import CD, RD, Edns, Fault, Question, header, limit, opt, read

PLAIN = dns.message.make_query("Web.Shop.", "SRV", id=7)


def test_a_question_is_read_in_lower_case_and_kept_as_it_was():
    found = read(PLAIN.to_wire())
    assert found == Question(b"\0\7", RD, b"\3Web\4Shop\0\0\x21\0\1", b"\3web\4shop\0", 33, 1)


def test_edns_is_read_with_its_cookie():
    query = dns.message.make_query(
        "a.", "A", use_edns=0, payload=4096, want_dnssec=True, options=[dns.edns.GenericOption(10, b"12345678")]
    )
    found = read(query.to_wire())
    assert found.edns == Edns(4096, 0, True, b"12345678")
    assert limit(found, tcp=False) == 4096
    assert limit(found, tcp=True) == 65535


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (struct.pack("!HHHHHH", 1, 0, 0, 0, 0, 0), 1),
        (struct.pack("!HHHHHH", 1, 0, 2, 0, 0, 0) + b"\0\0\1\0\1" * 2, 1),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", 1),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x3f" + b"a" * 63 + b"\0\0\1", 1),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\1a" * 128 + b"\0\0\1\0\1", 1),
        (struct.pack("!HHHHHH", 1, 0x2800, 1, 0, 0, 0) + b"\0\0\1\0\1", 4),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 2) + b"\0\0\1\0\1" + b"\0\0\x29\4\0\0\0\0\0\0\0" * 2, 1),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 1) + b"\0\0\1\0\1" + b"\0\0\x29\4\0\0\1\0\0\0\0", 16),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 1) + b"\0\0\1\0\1" + b"\0\0\x29\4\0\0\0\0\0\0\7\0\x0a\0\3abc", 1),
    ],
    ids=["none", "two", "compressed", "cut", "long", "update", "two-opt", "version", "short-cookie"],
)
def test_what_is_no_question_is_named(packet, rcode):
    found = read(packet)
    assert isinstance(found, Fault)
    assert found.rcode == rcode


@pytest.mark.parametrize("packet", [b"", b"\0" * 11, struct.pack("!HHHHHH", 1, 0x8000, 1, 0, 0, 0)])
def test_what_deserves_no_answer_gets_none(packet):
    assert read(packet) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_read(packet):
    assert read(packet) is None or isinstance(read(packet), Question | Fault)


def test_small_sizes_are_raised_to_the_minimum():
    assert limit(read(PLAIN.to_wire()), tcp=False) == 512
    assert limit(Question(b"", 0, b"", b"", 1, 1, Edns(10, 0, False)), tcp=False) == 512


def test_the_answer_has_an_opt_record_when_the_question_had():
    assert opt(None, b"") == b""
    assert opt(Edns(512, 0, True), b"c" * 8, 16) == b"\0\0\x29\x04\xd0\1\0\x80\0\0\x0c\0\x0a\0\x08cccccccc"


def test_a_header():
    assert header(b"\0\7", RD | CD, 1, 2, 3, 4) == struct.pack("!HHHHHH", 7, RD | CD, 1, 2, 3, 4)
