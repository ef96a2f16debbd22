"""Values of annotations, read as ingress-nginx reads them."""

import pytest

from switchboard.compile.gateway.draft import Refused, boolean, redirect_code, redirect_target, whole_seconds


@pytest.mark.parametrize(
    ("value", "wanted"), [("true", True), ("T", True), ("1", True), ("false", False), ("0", False), ("yes", None)]
)
def test_booleans_are_those_of_go(value: str, wanted: bool | None) -> None:
    assert boolean(value) is wanted


@pytest.mark.parametrize("value", ["0", "-1", "1s", "", "1.5", "99999999999", "١"])
def test_a_time_out_is_a_whole_number_above_0(value: str) -> None:
    assert isinstance(whole_seconds(value), Refused)
    assert whole_seconds("60") == 60


@pytest.mark.parametrize("value", ["https://x$request_uri", "ftp://x", "x", "https://x y", "https://x\r\nA: b"])
def test_a_redirect_target_is_a_plain_url(value: str) -> None:
    refused = redirect_target(value)
    assert refused is not None
    assert refused.drop
    assert redirect_target("https://new.test/x?y=z") is None


def test_a_redirect_code_is_bounded() -> None:
    assert redirect_code("308", 308) == 308
    assert isinstance(redirect_code("308", 307), Refused)
    assert isinstance(redirect_code("200", 308), Refused)
