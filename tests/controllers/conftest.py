import runpy
from pathlib import Path

import pytest

_SIMULATED = runpy.run_path(str(Path(__file__).with_name("simulated.py")))


@pytest.fixture
def simulated():
    """The class SimulatedCluster, for tests that choose controllers or settings."""
    return _SIMULATED["SimulatedCluster"]


@pytest.fixture
def template():
    return _SIMULATED["template"]


@pytest.fixture
def cluster(simulated):
    """Three nodes in three zones, all controllers."""
    made = simulated()
    for number in (1, 2, 3):
        made.node(f"n{number}", f"zone-{'abc'[number - 1]}")
    return made
