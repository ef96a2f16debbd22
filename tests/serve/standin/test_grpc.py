"""gRPC framing and health messages, against bytes from the protocol's documents."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.serve.standin import grpc


@given(st.binary())
def test_a_frame_tells_its_length(message):
    framed = grpc.frame(message)
    assert (framed[0], int.from_bytes(framed[1:5], "big"), framed[5:]) == (0, len(message), message)


def test_health_is_field_1_with_serving_or_not_serving():
    assert grpc.health(True) == bytes.fromhex("00000000020801")
    assert grpc.health(False) == bytes.fromhex("00000000020802")
