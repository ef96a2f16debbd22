import pytest

from switchboard.k8s.scalars import TAG, ScalarError, key_text, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("tRUE", "tRUE"),
        ("", None),
        ("~", None),
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b101", -5),
        ("08", 8),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("2026-04-22", "2026-04-22"),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("80.0", 80),
        ("1.2.3", "1.2.3"),
        ("v1.5.2", "v1.5.2"),
        ("-", "-"),
        ("+", "+"),
        ("1" * 5000, "1" * 5000),
        ("<<x", "<<x"),
    ],
)
def test_plain_scalars_mean_what_kubectl_takes_them_for(text, value):
    found = resolve(text, None, True)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text():
    assert resolve("yes", None, False) == "yes"
    assert resolve("80", None, False) == "80"


@pytest.mark.parametrize("text", [".nan", "-.inf"])
def test_numbers_without_json_are_refused(text):
    with pytest.raises(ScalarError):
        resolve(text, None, True)


def test_tags():
    assert resolve("12", TAG + "str", True) == "12"
    assert resolve("12", TAG + "int", False) == 12
    assert resolve("aGk=", TAG + "binary", True) == "hi"
    assert resolve("12", "!mine", True) == "12"
    with pytest.raises(ScalarError):
        resolve("x", TAG + "int", True)
    with pytest.raises(ScalarError):
        resolve("*", TAG + "binary", True)


def test_keys_become_text():
    assert [key_text(k) for k in ("a", 1, True, 1.5)] == ["a", "1", "true", "1.5"]
    with pytest.raises(ScalarError):
        key_text(None)
