import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api import errors
from switchboard.api.server import content
from switchboard.api.server.request import Request


def of(body=b"", **headers):
    return Request("POST", "/", (), tuple(headers.items()), body)


@pytest.mark.parametrize(
    ("accept", "as_"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/json", ""),
        ("text/html, application/json;q=0.9", ""),
        ("application/vnd.kubernetes.protobuf,application/json", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", ""),
    ],
)
def test_forms(accept, as_):
    assert content.form_of(of(accept=accept), allowed=("Table",)).as_ == as_


def test_forms_that_are_not_offered():
    for accept in ("text/html", "application/json;as=Chart;v=v1;g=meta.k8s.io", "application/cbor"):
        with pytest.raises(errors.NotAcceptable):
            content.form_of(of(accept=accept), allowed=("Table",))


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1} {}', b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a":' * 100_000])
def test_bodies_that_cannot_be_read(body):
    with pytest.raises(errors.BadRequest):
        content.body_of(of(body, **{"content-type": "application/json"}), "ConfigMap")


def test_duplicates_are_noted_and_merged_as_one_structure():
    found = content.decoded(b'{"a":{"x":1},"a":{"y":2},"b":1,"b":2}', content.JSON)
    assert found == content.Body({"a": {"x": 1, "y": 2}, "b": 2}, ("a", "b"))
    assert content.decoded(b"a: b\na: c\n", content.YAML) == content.Body({"a": "c"}, ("a",))


def test_yaml_is_json_in_another_form():
    found = content.decoded(b"a: 2020-01-02\n1: true\nc: [x]\n", content.YAML).value
    assert found == {"a": "2020-01-02", "1": True, "c": ["x"]}
    for text in (b"a: &x [1]\nb: *x\n", b"a: [", b"a: !!python/name:os.system\n"):
        with pytest.raises(ValueError, match="yaml"):
            content.decoded(text, content.YAML)


def test_other_media_types_are_refused():
    with pytest.raises(errors.UnsupportedMediaType):
        content.body_of(of(b"x", **{"content-type": "text/plain"}), "Pod")
    with pytest.raises(errors.UnsupportedMediaType):
        content.patch_type(of(**{"content-type": "application/json"}))


def test_patches_have_the_shape_of_their_type():
    for kind, body in (("json", b"{}"), ("merge", b"[]"), ("apply", b"[]")):
        with pytest.raises(errors.BadRequest):
            content.patch_of(of(body), kind)


@given(st.binary(max_size=200), st.sampled_from([content.JSON, content.YAML, content.PROTOBUF]))
def test_any_bytes_are_read_or_refused(data, media):
    with contextlib.suppress(errors.BadRequest):
        content.body_of(of(data, **{"content-type": media}), "Pod")
