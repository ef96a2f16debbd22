from datetime import UTC, datetime

import pytest

from switchboard.api.server.columns import columns_of
from switchboard.k8s.kinds import KINDS, kind_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.kind)
def test_every_kind_is_shown_even_when_nothing_is_in_it(kind):
    columns = columns_of(kind)
    empty = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    broken = {**empty, "spec": [], "status": "x", "data": 1, "subsets": [None], "endpoints": {}, "rules": 3}
    for obj in (empty, broken):
        cells = {c.name: c.cell(obj, NOW) for c in columns}
        assert "x" in cells.values()
        assert all(isinstance(v, str | int | float | bool) for v in cells.values())


def test_kinds_without_columns_have_name_and_age():
    assert [c.name for c in columns_of(kind_of("v1", "PodTemplate"))] == ["Name", "Age"]
