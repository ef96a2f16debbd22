from datetime import UTC, datetime

import pytest

from switchboard.api.server.columns import cells

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, "<none>"),
        ({"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1"),
        ({"matchExpressions": [{"key": "k", "operator": "In", "values": ["b", "a"]}]}, "k in (a,b)"),
        ({"matchExpressions": [{"key": "k", "operator": "DoesNotExist"}]}, "!k"),
        ({"matchExpressions": [{"key": "k", "operator": "Exists"}]}, "k"),
    ],
)
def test_selectors(selector, text):
    assert cells.selector(selector) == text


def test_fields_ages_and_templates():
    obj = {"metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"a": {"b": 0}}}
    assert cells.NAME.cell(obj, NOW) == "n"
    assert cells.AGE.cell(obj, NOW) == "60s"
    assert (cells.at("spec", "a", "b", default=9)(obj), cells.at("spec", "z", default=9)(obj)) == (0, 9)
    template = {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}}
    assert (cells.names_of(template), cells.images_of(template)) == ("a,b", "x,y")
    assert cells.between("2026-01-01T00:00:00Z", None, NOW) == "60s"
    assert cells.between(None, None, NOW) == ""
