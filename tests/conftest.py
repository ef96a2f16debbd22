"""Waiting for a condition, for every test: bounded, so that what never happens fails and names itself."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def _until(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The first true value of ``condition``; fails when there is none within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.01)
    return found


@pytest.fixture(scope="session")
def until() -> Callable[..., object]:
    return _until
