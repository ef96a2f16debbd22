import pytest

from switchboard.api.server.booleans import truthy


@pytest.mark.parametrize(("text", "value"), [("", False), ("0", False), ("False", False), ("true", True), ("x", True)])
def test_truth(text, value):
    assert truthy(text) is value
