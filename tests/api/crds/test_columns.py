import pytest

from switchboard.api.crds.columns import AGE, cell, columns_of

OBJECT = {
    "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"n": 3, "f": 1.5, "b": True, "s": "x", "l": [1, "y"]},
}


@pytest.mark.parametrize(
    ("type_", "path", "shown"),
    [
        ("string", ".spec.s", "x"),
        ("string", ".spec.n", "3"),
        ("string", ".spec.l", '[1,"y"]'),
        ("string", ".spec.l[*]", "1,y"),
        ("string", ".spec.none", None),
        ("integer", ".spec.n", 3),
        ("integer", ".spec.s", None),
        ("integer", ".spec.b", None),
        ("number", ".spec.f", 1.5),
        ("number", ".spec.n", 3.0),
        ("boolean", ".spec.b", True),
        ("boolean", ".spec.s", None),
        ("date", ".spec.s", "x"),
        ("date", ".spec.n", None),
    ],
)
def test_cells(type_, path, shown):
    (column,) = columns_of({"additionalPrinterColumns": [{"name": "C", "type": type_, "jsonPath": path}]})
    assert cell(column, OBJECT) == shown


def test_without_columns_there_is_the_age():
    assert columns_of({}) == (AGE,)
    assert cell(AGE, OBJECT) == "2026-01-01T00:00:00Z"
