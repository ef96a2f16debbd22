"""SPDY framing: what one side writes the other reads, in any portions; what is no SPDY never raises."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from switchboard.serve import spdy
from switchboard.serve.spdy import Broken, Data, Decoder, Encoder, GoAway, Ping, Reset, SynReply, SynStream

HEADERS = {"streamtype": "error", "port": "8080", "requestid": "0"}


def test_the_dictionary_is_that_of_the_specification() -> None:
    # Its length and the Adler-32 that every zlib stream made with it tells in its header (RFC 1950, DICTID).
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2
    assert Encoder().syn_stream(1, HEADERS)[18:24] == bytes.fromhex("78bbe3c6a7c2")


def conversation() -> bytes:
    encoder = Encoder()
    return b"".join(
        [
            encoder.syn_stream(1, HEADERS, fin=True),
            spdy.data(1, b"", fin=True),
            encoder.syn_stream(3, {**HEADERS, "StreamType": "data"}),
            encoder.syn_reply(3),
            spdy.data(3, b"x" * 1000),
            spdy.ping(7),
            spdy.reset(3, spdy.REFUSED_STREAM),
            spdy.go_away(3),
        ]
    )


def joined(frames: list[spdy.Frame]) -> list[spdy.Frame]:
    """Portions of one data frame as one."""
    found: list[spdy.Frame] = []
    for frame in frames:
        last = found[-1] if found else None
        if isinstance(frame, Data) and isinstance(last, Data) and last.stream == frame.stream and not last.fin:
            found[-1] = Data(frame.stream, last.payload + frame.payload, frame.fin)
        else:
            found.append(frame)
    return found


WANTED = [
    SynStream(1, HEADERS, True),
    Data(1, b"", True),
    SynStream(3, {**HEADERS, "streamtype": "data"}),
    SynReply(3, {}),
    Data(3, b"x" * 1000),
    Ping(7),
    Reset(3, spdy.REFUSED_STREAM),
    GoAway(0),
]


@given(st.lists(st.integers(0, len(conversation())), max_size=20))
def test_portions_do_not_matter(cuts: list[int]) -> None:
    whole = conversation()
    decoder, found, last = Decoder(), [], 0
    for cut in [*sorted(cuts), len(whole)]:
        found += decoder.feed(whole[last:cut])
        last = cut
    assert joined(found) == WANTED


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_read_without_raising(portions: list[bytes]) -> None:
    decoder = Decoder()
    frames = [frame for portion in portions for frame in decoder.feed(portion)]
    assert sum(isinstance(frame, Broken) for frame in frames) <= 1
    assert all(not isinstance(frame, Broken) for frame in frames[:-1])


@given(st.data())
def test_any_damage_is_read_without_raising(data: st.DataObject) -> None:
    whole = bytearray(conversation())
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
        whole[at] = data.draw(st.integers(0, 255))
    Decoder().feed(bytes(whole))


def test_other_control_frames_are_passed_over() -> None:
    settings = struct.pack(">HHI", 0x8003, 4, 12) + struct.pack(">III", 1, 4, 100)
    window = struct.pack(">HHI", 0x8003, 9, 8) + struct.pack(">II", 1, 65536)
    assert Decoder().feed(settings + window + spdy.ping(2)) == [Ping(2)]


def test_a_header_block_is_bounded() -> None:
    bomb = Encoder().syn_stream(1, {"a": "x" * (spdy.MOST_HEADERS + 1)})
    assert len(bomb) < 1000
    assert [type(f) for f in Decoder().feed(bomb)] == [Broken]


def test_a_control_frame_is_bounded() -> None:
    decoder = Decoder()
    assert [type(f) for f in decoder.feed(struct.pack(">HHI", 0x8003, 1, spdy.MOST_CONTROL + 1))] == [Broken]
    assert decoder.feed(spdy.ping(1)) == []


def test_a_large_data_frame_is_not_collected() -> None:
    decoder = Decoder()
    head = struct.pack(">II", 5, 1 << 24 | 0xFFFFFF)
    assert decoder.feed(head + b"abc") == [Data(5, b"abc")]
    assert decoder.feed(b"def") == [Data(5, b"def")]


def test_another_version_is_refused() -> None:
    assert Decoder().feed(struct.pack(">HHI", 0x8002, 6, 4) + bytes(4)) == [Broken("the version is not 3")]
