import dns.message

from switchboard.compile._dns_records import Answer, Record, RecordType
from switchboard.serve.dns.packet import TC, header
from switchboard.serve.dns.tail import plain, render

QUESTION = b"\3web\4shop\0\0\1\0\1"
SOA = Record("shop.", RecordType.SOA, 5, "ns.shop. me.shop. 1 2 3 4 5")


def message(tail, question=QUESTION):
    head = header(b"\0\1", tail.flags, 1, tail.answers, tail.authority, tail.additional)
    return dns.message.from_wire(head + question + tail.octets)


def addresses(count):
    return tuple(Record("web.shop.", RecordType.A, 5, f"10.1.{i // 256}.{i % 256}") for i in range(count))


def test_what_fits_is_whole():
    found = message(render(Answer(answers=addresses(3), additional=(SOA,)), QUESTION, 512))
    assert len(found.answer[0]) == 3
    assert len(found.additional) == 1
    assert not found.flags & TC


def test_what_does_not_fit_is_cut_and_says_so():
    tail = render(Answer(answers=addresses(100)), QUESTION, 512)
    assert 12 + len(QUESTION) + len(tail.octets) <= 512
    assert 0 < len(message(tail).answer[0]) < 100
    assert message(tail).flags & TC


def test_a_negative_tail_fits_behind_every_question():
    tail = plain(Answer(rcode=3, authority=(SOA,)))
    for question in (QUESTION, b"\0\0\1\0\1"):
        assert message(tail, question).authority[0].name.to_text() == "shop."
