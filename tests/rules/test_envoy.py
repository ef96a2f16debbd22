"""Messages of Envoy: small, frozen, named as in its API."""

import msgspec
import pytest

from switchboard.rules import envoy


def test_defaults_are_left_out() -> None:
    match = envoy.RouteMatch(prefix="/")
    assert msgspec.json.encode(match) == b'{"prefix":"/"}'


def test_a_packed_message_carries_its_type() -> None:
    told = msgspec.json.decode(msgspec.json.encode(envoy.Router()))
    assert told == {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="prefixed"):
        msgspec.json.decode(b'{"prefixed":"/"}', type=envoy.RouteMatch)


def test_every_message_is_frozen() -> None:
    kinds = [k for k in vars(envoy).values() if isinstance(k, type) and issubclass(k, msgspec.Struct)]
    assert len(kinds) > 50
    assert [k.__name__ for k in kinds if not k.__struct_config__.frozen] == []


def test_files_are_values() -> None:
    assert envoy.File("a") == envoy.File("a") != envoy.File("b")
    assert len({envoy.File("a"), envoy.File("a")}) == 1
    assert repr(envoy.File("a")) == "File('a')"
    with pytest.raises(AttributeError):
        envoy.File("a").name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(("value", "wanted"), [(5, "5s"), (0.25, "0.25s"), (0, "0s")])
def test_durations(value: float, wanted: str) -> None:
    assert envoy.seconds(value) == wanted


def test_file_names_keep_names_apart() -> None:
    assert envoy.file_name("ns/a:http/TCP") == "ns_a_http_TCP.json"
    assert envoy.file_name("ns/a:/TCP") != envoy.file_name("ns/a:http/TCP")


def test_no_message_can_hold_a_key() -> None:
    assert {f.type for f in msgspec.structs.fields(envoy.DataSource)} == {envoy.File}
