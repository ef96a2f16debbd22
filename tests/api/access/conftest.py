"""Objects as requests name them: their namespace stands in the path."""

import pytest


@pytest.fixture
def config_map():
    def make(name="m", **fields):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}

    return make
