"""Laws of the gateway, for random Ingresses: order does not matter, references resolve, the tracer agrees."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.compile import gateway as compiler
from switchboard.rules import discovery, envoy
from switchboard.rules.discovery import EnvoyConfig
from switchboard.trace import route as tracer
from switchboard.view.build import routes
from switchboard.view.model import View
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort

SERVICES = tuple(
    ServicePort(
        namespace=space, name=name, port_name="http", protocol="TCP", port=80, endpoints=(Endpoint("10.0.0.1", 1),) * up
    )
    for space in ("n", "m")
    for name, up in (("s", 1), ("t", 1), ("down", 0))
)
HOSTS = ("", "a.test", "b.a.test", "c.b.a.test", "*.a.test", "*.b.a.test", "*.test")
PATHS = ("/", "/x", "/x/", "/x/y", "/x/y/", "/xy", "/x/y/z", "x", "/(?=x)", "/x+")
ANNOTATIONS = {
    "canary": ("true", "false", "maybe"),
    "canary-weight": ("0", "10", "100", "10%", "300"),
    "canary-by-header": ("X-Canary", "bad name"),
    "canary-by-header-pattern": ("^v2$", "[(*"),
    "canary-by-cookie": ("stage",),
    "app-root": ("/start", "start"),
    "permanent-redirect": ("https://x.test", "$x"),
    "backend-protocol": ("GRPC", "https", "smoke"),
    "proxy-connect-timeout": ("1", "1s"),
    "force-ssl-redirect": ("true",),
    "configuration-snippet": ("deny all;",),
    "limit-rps": ("5",),
}

backends = st.builds(
    lambda name, port: {"service": {"name": name, "port": port}},
    st.sampled_from(("s", "t", "down", "gone")),
    st.sampled_from(({"number": 80}, {"name": "http"}, {"number": 81}, {})),
)
paths = st.builds(
    lambda path, kind, backend: {"path": path, "pathType": kind, "backend": backend},
    st.sampled_from(PATHS),
    st.sampled_from(("Exact", "Prefix", "ImplementationSpecific")),
    backends,
)
rules = st.builds(
    lambda host, found: {"host": host, "http": {"paths": found}},
    st.sampled_from(HOSTS),
    st.lists(paths, min_size=1, max_size=4),
)
annotations = st.fixed_dictionaries(
    {}, optional={f"nginx.ingress.kubernetes.io/{k}": st.sampled_from(v) for k, v in ANNOTATIONS.items()}
)
tls = st.lists(
    st.builds(lambda h: {"hosts": h, "secretName": "none"}, st.lists(st.sampled_from(HOSTS[1:]))), max_size=1
)


def _ingress(space: str, age: int, notes: dict[str, str], found: list[Any], default: Any, shown: Any) -> dict[str, Any]:
    spec = {
        "ingressClassName": "nginx",
        "rules": found,
        "tls": shown,
        **({"defaultBackend": default} if default else {}),
    }
    metadata = {"namespace": space, "annotations": notes, "creationTimestamp": f"2026-01-0{age}T00:00:00Z"}
    return {"metadata": metadata, "spec": spec}


def _several(notes: Any, found: Any) -> Any:
    one = st.builds(_ingress, st.sampled_from(("n", "m")), st.integers(1, 3), notes, found, st.none() | backends, tls)
    return st.lists(one, max_size=5).map(
        lambda made: [{**o, "metadata": {**o["metadata"], "name": f"i{n}"}} for n, o in enumerate(made)]
    )


ingresses = _several(annotations, st.lists(rules, max_size=3))

# Dense: few hosts with many paths, so that several routes match a request.
crowded_paths = st.builds(
    lambda path, kind: {"path": path, "pathType": kind, "backend": {"service": {"name": "s", "port": {"number": 80}}}},
    st.sampled_from([p for p in PATHS if p.startswith("/") and "(" not in p]),
    st.sampled_from(("Exact", "Prefix", "ImplementationSpecific")),
)
crowded_rules = st.builds(
    lambda host, found: {"host": host, "http": {"paths": found}},
    st.sampled_from(("b.a.test", "*.a.test", "*.b.a.test", "")),
    st.lists(crowded_paths, min_size=3, max_size=6),
)
crowded = _several(st.just({}), st.lists(crowded_rules, min_size=1, max_size=3))

CLASS = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def built(objects: list[Any]) -> tuple[Gateway, frozenset[Any]]:
    (gateway,), findings = routes.build({"Ingress": objects, "IngressClass": [CLASS]}, SERVICES)
    return gateway, frozenset(findings)


def compiled(gateway: Gateway) -> tuple[EnvoyConfig, frozenset[Any]]:
    pair = compiler.KeyPair("CHAIN", "KEY")
    config, findings = compiler.compile(gateway, View(services=SERVICES), compiler.Settings(default_certificate=pair))
    return config, frozenset(findings)


@given(ingresses, st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(objects: list[Any], random: Any) -> None:
    shuffled = random.sample(objects, len(objects))
    assert built(shuffled) == built(objects)


@given(ingresses)
def test_references_resolve_and_parsing_a_rendering_returns_it(objects: list[Any]) -> None:
    config, _ = compiled(built(objects)[0])
    assert discovery.validate(config) == ()
    assert discovery.parse(discovery.render(config, "/d"), "/d") == config


@given(ingresses)
def test_one_more_ingress_for_another_host_changes_no_other_host(objects: list[Any]) -> None:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}
    rule = {"host": "new.example", "http": {"paths": [path]}}
    more = _ingress("n", 3, {}, [rule], None, [])
    more["metadata"]["name"] = "more"
    before, after = compiled(built(objects)[0])[0], compiled(built([*objects, more])[0])[0]
    kept = tuple(v for v in after.routes[0].virtual_hosts if v.name != "new.example")
    assert kept == before.routes[0].virtual_hosts


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("metadata", "spec", "rules", "http", "paths", "host", "path", "pathType", "backend", "tls")
            )
            | st.sampled_from(("service", "name", "port", "number", "annotations", "hosts", "secretName", "data")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=3), st.lists(json_values, max_size=2), st.lists(json_values, max_size=2))
def test_nonsense_never_raises(found: list[Any], classes: list[Any], secrets: list[Any]) -> None:
    default = {"metadata": {"name": "d", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}
    ours = {**default, "spec": {"controller": "k8s.io/ingress-nginx"}}
    objects = {"Ingress": found, "IngressClass": [*classes, ours], "Secret": secrets}
    gateways, _ = routes.build(objects, SERVICES)
    for gateway in gateways:
        compiled(gateway)


@given(
    crowded,
    st.sampled_from(("b.a.test", "c.a.test", "c.b.a.test", "z.c.b.a.test", "else")),
    st.sampled_from(("/", "/x", "/x/", "/xy", "/x/y", "/x/y/z/", "/x/yy", "/x+")),
)
@settings(max_examples=300)
def test_envoy_and_the_path_tracer_choose_the_same_route(objects: list[Any], host: str, path: str) -> None:
    gateway, _ = built(objects)
    config, findings = compiled(gateway)
    assert findings == frozenset()
    files = discovery.render(config, "/d")
    (secure,) = (t for t in discovery.parse(files, "/d").routes if t.name == "https")
    chosen = _choose(secure, host, path)
    wanted = tracer.match(gateway, host, path) or gateway.default_route
    if wanted is None:
        assert chosen is None or chosen.name.endswith("no-route")
    else:
        assert chosen is not None
        assert chosen.name.startswith(f"{wanted.owner} {wanted.field}")


def _choose(table: envoy.RouteConfiguration, host: str, path: str) -> envoy.Route | None:
    """The entry that Envoy would take for a request without canary headers: exact host, longest wildcard, any."""
    by_domain = {d: v for v in table.virtual_hosts for d in v.domains}
    wildcards = sorted((d for d in by_domain if d.startswith("*.") and host.endswith(d[1:])), key=len, reverse=True)
    domain = next((d for d in (host, *wildcards, "*") if d in by_domain), None)
    entries = by_domain[domain].routes if domain else ()
    return next((e for e in entries if _takes(e, host, path)), None)


def _takes(entry: envoy.Route, host: str, path: str) -> bool:
    match = entry.match
    for header in match.headers:
        if header.name != ":authority":
            return False
        assert header.string_match
        assert header.string_match.safe_regex
        if not re.fullmatch(header.string_match.safe_regex.regex, host):
            return False
    if match.cookies:
        return False
    if match.path:
        return path == match.path
    if match.path_separated_prefix:
        prefix = match.path_separated_prefix
        return path == prefix or path.startswith(f"{prefix}/")
    assert match.prefix
    return path.startswith(match.prefix)
