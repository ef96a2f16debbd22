import pytest

from switchboard.api.access.identity import StaticTokens, User, account_of, authenticate, impersonated, service_account
from switchboard.api.errors import BadRequest, Unauthorized
from switchboard.api.server.request import Certificate, Request

READERS = (StaticTokens({"t": User("u", ("g",)), "": User("nobody")}),)


def of(certificate=None, **headers):
    pairs = tuple((k.replace("_", "-"), v) for k, v in headers.items())
    return Request("GET", "/", (), pairs, b"", certificate)


def test_tokens_certificates_and_nobody():
    assert authenticate(of(authorization="Bearer t"), READERS) == User("u", ("g", "system:authenticated"))
    certificate = Certificate("c", ("o",))
    assert authenticate(of(certificate), READERS) == User("c", ("o", "system:authenticated"))
    assert authenticate(of(), READERS).name == "system:anonymous"
    for sent in ("Bearer wrong", "Bearer tt", "bearer T"):
        with pytest.raises(Unauthorized):
            authenticate(of(certificate, authorization=sent), READERS)


def test_tokens_are_not_shown():
    assert "t" not in repr(READERS[0]).replace("StaticTokens", "").replace("tokens", "")


def test_impersonation():
    assert impersonated(of()) is None
    found = impersonated(of(impersonate_user="u", impersonate_group="g", impersonate_extra_dept="x"))
    assert found == User("u", ("g", "system:authenticated"), extra={"dept": ("x",)})
    account = impersonated(of(impersonate_user="system:serviceaccount:n:a"))
    assert "system:serviceaccounts:n" in account.groups
    with pytest.raises(BadRequest):
        impersonated(of(impersonate_group="g"))


def test_service_accounts_are_users():
    assert account_of(service_account("n", "a")) == ("n", "a")
    assert account_of(User("ann")) is None
