"""The recorded cases (tests/cases/gateway), played against a real Envoy.

A case states what ingress-nginx or the Ingress API does; where we differ, KNOWN says why, and the case must fail.
"""

import base64
import json
import math
import re
import ssl
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

CASES = Path(__file__).parents[2] / "cases" / "gateway"
PATHS = sorted(CASES.glob("*/*.json"))

KNOWN = {
    "ngx-path-normalization": "pods see the normalised path that was matched, so no rule can be bypassed by spelling",
    "ngx-redirect-unmatched-path": "annotations apply to the paths of their Ingress, not to the rest of its host",
    "ngx-rewrite-target-equals-prefix-path": "the rewrite of a plain prefix is the same for all paths that it takes",
    "ngx-ssl-redirect-query": "a redirect to https keeps the request target as it is, a final slash included",
}


class MismatchError(AssertionError):
    """A request was not answered as its case says."""


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_case(path: Path, rig: Any, cluster: Any, request: pytest.FixtureRequest) -> None:
    if path.stem in KNOWN:
        request.node.add_marker(pytest.mark.xfail(reason=KNOWN[path.stem], raises=MismatchError, strict=True))
    case = json.loads(path.read_text())
    made = cluster(case["objects"], staged=case.get("staged", False))
    findings = rig.apply(made.objects, made.services)
    for one in case["requests"]:
        _play(rig, case, one)
    for refused in case.get("refused", []):
        owner = f"{refused['kind']} {refused['namespace']}/{refused['name']}"
        said = " ".join(f.message for f in findings if f.object == owner)
        _demand(all(word.lower() in said.lower() for word in refused["mentions"]), f"{owner} was told: {said}")


def test_every_known_difference_has_a_case() -> None:
    assert set(KNOWN) <= {p.stem for p in PATHS}


def _play(rig: Any, case: dict[str, Any], one: dict[str, Any]) -> None:
    want = one.get("expect", {})
    try:
        answers = [_send(rig, one) for _ in range(one.get("times", 1))]
    except (ssl.SSLError, ConnectionError):
        if want.get("tlsHandshake") == "may-fail":
            return
        raise
    where = f"{one['name']}: "
    shares = want.get("backend") if isinstance(want.get("backend"), dict) else None
    if shares:
        _demand_shares(Counter(a.backend or f"status:{a.status}" for a in answers), shares, where)
    for answer in answers:
        _judge(case, one, want, answer, where, shares is not None)
    if "pods" in want:
        pods = {a.echo["pod"] for a in answers if a.echo}
        _demand(want["pods"].get("min", 0) <= len(pods) <= want["pods"].get("max", 999), f"{where}pods {pods}")


def _send(rig: Any, one: dict[str, Any]) -> Any:
    headers = [(k, v) for k, values in one.get("headers", {}).items() for v in _list(values)]
    if one.get("cookies"):
        headers.append(("Cookie", "; ".join(f"{k}={v}" for k, v in one["cookies"].items())))
    return rig.request(
        one.get("host"),
        one.get("path", "/"),
        scheme=one.get("scheme", "http"),
        method=one.get("method", "GET"),
        headers=headers,
        body=one["body"].encode() if "body" in one else None,
        sni=one.get("sni"),
        source=one.get("clientIP", "127.0.0.1"),
    )


def _judge(case: dict[str, Any], one: dict[str, Any], want: dict[str, Any], got: Any, where: str, split: bool) -> None:
    told = f" (status {got.status}, {got.body[:100]!r})"
    if "status" in want and not split:
        codes = [str(c).replace("x", r"\d") for c in _list(want["status"])]
        _demand(any(re.fullmatch(c, str(got.status)) for c in codes), f"{where}status is not {want['status']}{told}")
    elif "backend" in want and not split:
        _demand(got.status == 200, f"{where}no success{told}")
    if "backend" in want and not split and one.get("method") != "HEAD":
        backends = [b or "" for b in _list(want["backend"])]
        _demand(got.backend in backends, f"{where}answered by {got.backend!r} instead of {backends}{told}")
    echo = got.echo or {}
    if "pathSeenByBackend" in want:
        seen = echo.get("path", "")
        seen = seen if "?" in want["pathSeenByBackend"] else seen.partition("?")[0]
        _demand(seen == want["pathSeenByBackend"], f"{where}the backend saw {seen}")
    for key, name in (
        ("backendPort", "port"),
        ("methodSeenByBackend", "method"),
        ("clientIPSeenByBackend", "clientIP"),
    ):
        if key in want:
            _demand(echo.get(name) == want[key], f"{where}{name} is {echo.get(name)}")
    for name, rule in want.get("headersSeenByBackend", {}).items():
        _demand(_matches(echo.get("headers", {}).get(name.lower()), rule), f"{where}{name} seen by the backend")
    for name, rule in want.get("responseHeaders", {}).items():
        _demand(_matches(got.header(name), rule), f"{where}{name} is {got.header(name)!r}")
    if "location" in want:
        _demand(
            any(_plain(got.header("location") or "") == _plain(w) for w in _list(want["location"])),
            f"{where}Location is {got.header('location')}",
        )
    if "tlsCertificate" in want:
        _judge_certificate(case, want["tlsCertificate"], got.certificate, where)


def _judge_certificate(case: dict[str, Any], rule: Any, shown: bytes, where: str) -> None:
    if isinstance(rule, dict):
        _demand(all(shown != _der(case, ref) for ref in rule["not"]), f"{where}a certificate of the case was shown")
    else:
        _demand(shown == _der(case, rule), f"{where}not the certificate of {rule}")


def _der(case: dict[str, Any], reference: str) -> bytes:
    for each in case["objects"]:
        if each["kind"] == "Secret" and f"{each['metadata']['namespace']}/{each['metadata']['name']}" == reference:
            pem = base64.b64decode(each["data"]["tls.crt"]).decode()
            return ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERT")] + "-----END CERTIFICATE-----")
    raise KeyError(reference)


def _demand_shares(counts: Counter[str], shares: dict[str, int], where: str) -> None:
    """Each share within 4.5 standard deviations; 0 and all of it exactly."""
    total, weights = sum(counts.values()), sum(shares.values())
    _demand(set(counts) <= set(shares), f"{where}unexpected {counts}")
    for name, weight in shares.items():
        share = weight / weights
        bound = 4.5 * math.sqrt(share * (1 - share) / total)
        _demand(abs(counts[name] / total - share) <= bound, f"{where}{counts}")


def _matches(got: str | None, rule: Any) -> bool:
    if rule is None:
        return got is None
    if isinstance(rule, dict):
        return (
            (got is not None) == rule["present"]
            if "present" in rule
            else rule["notContains"] not in (got or "")
            if "notContains" in rule
            else got is not None
            and ("contains" not in rule or rule["contains"] in got)
            and ("regex" not in rule or re.search(rule["regex"], got) is not None)
        )
    return got in _list(rule)


def _plain(url: str) -> str:
    """A URL without its default port."""
    parts = urllib.parse.urlsplit(url)
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.removesuffix(default)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MismatchError(otherwise)
