import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api import selectors
from switchboard.api.errors import BadRequest

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("missing notin (db)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("n>4", True),
        ("n<5", False),
        ("app>4", False),
        ("empty=", True),
        ("app=", False),
        ("in in (in)", False),
    ],
)
def test_label_selectors_match_as_kubernetes_does(text, expected):
    assert selectors.matches(selectors.parse(text), LABELS) is expected


@pytest.mark.parametrize("text", ["app=web,,", "=x", "app in web", "app in (", "-a=b", "a=b c", "n>x", "a=" + "v" * 64])
def test_what_is_no_selector_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        selectors.parse(text)


def test_a_selector_object_says_everything_or_nothing_when_empty_or_missing():
    assert selectors.from_object(None) is None
    assert selectors.from_object({}) == selectors.EVERYTHING


def test_expressions_and_labels_must_all_hold():
    selector = selectors.from_object(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}],
        }
    )
    assert selectors.matches(selector, LABELS)
    assert not selectors.matches(selector, {**LABELS, "tier": "back"})


names = st.text("abcxyz", min_size=1, max_size=3)


@given(st.dictionaries(names, names), st.dictionaries(names, names))
def test_a_selector_of_labels_matches_exactly_their_supersets(wanted, labels):
    text = ",".join(f"{k}={v}" for k, v in wanted.items())
    expected = wanted.items() <= labels.items()
    assert selectors.matches(selectors.parse(text), labels) is expected
    assert selectors.matches(selectors.from_labels(wanted), labels) is expected


@given(st.text(max_size=20))
def test_no_text_raises_anything_but_a_bad_request(text):
    try:
        selectors.parse(text)
        selectors.parse_fields(text, "Service")
    except BadRequest:
        pass


def test_field_selectors_look_at_the_fields_that_the_kind_offers():
    service = {"metadata": {"name": "web"}, "spec": {"type": "NodePort"}}
    assert selectors.matches_fields(selectors.parse_fields("spec.type=NodePort", "Service"), service)
    assert not selectors.matches_fields(selectors.parse_fields("metadata.name!=web", "Service"), service)
    assert selectors.matches_fields(selectors.parse_fields("spec.clusterIP=", "Service"), service)
    with pytest.raises(BadRequest, match="field label not supported"):
        selectors.parse_fields("spec.sessionAffinity=None", "Service")
