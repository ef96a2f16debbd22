from datetime import UTC, datetime

import pytest

from switchboard.api.server.columns import columns_of
from switchboard.k8s.kinds import named


@pytest.fixture
def cells():
    """Cells by column of an object of a kind, at noon."""

    def read(kind, **fields):
        now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        obj = {"kind": kind, "metadata": {"name": "x", **fields.pop("metadata", {})}, **fields}
        return {c.name: c.cell(obj, now) for c in columns_of(named(kind)[0])}

    return read
