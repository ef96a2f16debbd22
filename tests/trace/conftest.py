"""The payment example as a view: three nodes in three zones, a canary of 10 %, a gateway behind a load balancer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from switchboard.view.model import View

CASES = Path(__file__).parents[1] / "cases" / "trace"


@pytest.fixture
def payments() -> View:
    return msgspec.json.decode((CASES / "payments-view.json").read_bytes(), type=View)
