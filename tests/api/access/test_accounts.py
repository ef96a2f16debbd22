from datetime import timedelta

import pytest

from switchboard.api.access.accounts import AccountTokens


@pytest.fixture
def tokens(ask):
    signed = {}

    def sign(claims):
        signed[f"t{len(signed)}"] = claims
        return f"t{len(signed) - 1}"

    def verify(token, now):
        claims = signed.get(token)
        return claims if claims and now < claims["exp"] else None

    return AccountTokens(ask.store, sign, verify, lambda: "id")


@pytest.fixture
def account(ask):
    return ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "a"}})[1]


def test_a_token_is_its_account_until_the_end(tokens, account, clock):
    issuer = "https://kubernetes.default.svc.cluster.local"
    token = tokens.sign(account, [issuer], clock() + timedelta(hours=1), {})
    assert tokens.user(token).name == "system:serviceaccount:default:a"
    assert tokens.user(tokens.sign(account, ["other"], clock() + timedelta(hours=1), {})) is None
    clock.wait(3601)
    assert tokens.user(token) is None


def test_a_token_ends_with_what_it_is_bound_to(ask, tokens, account, clock):
    pods = "/api/v1/namespaces/default/pods"
    pod = ask("POST", pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})[1]
    issuer = "https://kubernetes.default.svc.cluster.local"
    token = tokens.sign(account, [issuer], clock() + timedelta(hours=1), pod)
    assert tokens.user(token).extra["authentication.kubernetes.io/pod-name"] == ("p",)
    ask("DELETE", f"{pods}/p")
    assert tokens.user(token) is None
    plain = tokens.sign(account, [issuer], clock() + timedelta(hours=1), {})
    ask("DELETE", "/api/v1/namespaces/default/serviceaccounts/a")
    assert tokens.user(plain) is None
