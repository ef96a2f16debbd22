import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.k8s.protobuf import MAGIC, decode


def varint(value):
    value &= (1 << 64) - 1
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version, kind, *fields):
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(fields))


NAMED = field(1, field(1, "x") + field(2, ""))


def test_a_deployment_of_no_replicas_keeps_its_zero():
    spec = field(1, 0) + field(5, 0) + field(6, -1)
    found = decode(body("apps/v1", "Deployment", NAMED, field(2, spec)))
    assert found["spec"] == {"replicas": 0, "revisionHistoryLimit": -1}
    assert (found["apiVersion"], found["kind"], found["metadata"]) == ("apps/v1", "Deployment", {"name": "x"})


def test_maps_bytes_and_texts():
    entry = field(1, "k") + field(2, b"\x00\xff")
    found = decode(body("v1", "Secret", NAMED, field(2, entry), field(3, "Opaque")))
    assert found == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        "data": {"k": "AP8="},
        "type": "Opaque",
    }


def test_fields_of_parents_quantities_and_numbers_or_texts():
    port = field(3, 80) + field(4, field(1, 1) + field(3, "http")) + field(5, 0)
    service = decode(body("v1", "Service", field(2, field(1, port))))
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    volume = field(1, "v") + field(2, field(2, field(2, field(1, "1Gi"))))
    pod = decode(body("v1", "Pod", field(2, field(1, volume))))
    assert pod["spec"]["volumes"] == [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]


def test_times():
    created = field(8, field(1, 1_600_000_000))
    assert decode(body("v1", "Pod", field(1, created)))["metadata"] == {"creationTimestamp": "2020-09-13T12:26:40Z"}
    assert "metadata" not in decode(body("v1", "Pod", field(1, field(8, b""))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        MAGIC,
        body("v1", "Gadget"),
        body("v1", "Pod", b"\x0a\xff"),
        body("v1", "Pod", b"\x0b"),
        MAGIC + b"\xff" * 20,
    ],
)
def test_what_cannot_be_read(data):
    with pytest.raises(ValueError):  # noqa: PT011
        decode(data)


@given(st.sampled_from(["Pod", "Service", "Secret", "Event"]), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(kind, data):
    try:
        found = decode(body("v1", kind, data))
    except ValueError:
        return
    assert found["kind"] == kind
