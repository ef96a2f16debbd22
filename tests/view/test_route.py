"""Facts about routes; keys of certificates are never shown."""

from __future__ import annotations

from switchboard.view.route import Certificate, PathMatch


def test_a_private_key_is_in_no_repr() -> None:
    certificate = Certificate(owner="Ingress a/b", secret="shop/tls", hosts=("a.test",), chain="CHAIN", key="PRIVATE")
    assert "PRIVATE" not in repr(certificate)
    assert "PRIVATE" not in f"{[certificate]}"
    assert "shop/tls" in repr(certificate)


def test_paths_match_in_the_three_ways_of_ingress_and_gateway() -> None:
    assert [match.value for match in PathMatch] == ["Exact", "Prefix", "Regex"]
