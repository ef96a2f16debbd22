"""A whole configuration: dangling references are found, rendering is stable, parsing is its inverse."""

import json
import re
from typing import Any

import msgspec
import pytest

from switchboard.rules import discovery, envoy
from switchboard.rules.discovery import EnvoyConfig

HTTP = envoy.HttpProtocolOptions(envoy.ExplicitHttpConfig({}))


def cluster(name: str = "c", service: str = "s") -> envoy.Cluster:
    return envoy.Cluster(
        name=name,
        type="EDS",
        eds_cluster_config=envoy.EdsClusterConfig(envoy.source("eds/s.json"), service),
        connect_timeout="5s",
        typed_extension_protocol_options=envoy.ClusterExtensions(HTTP),
    )


def route(**more: Any) -> envoy.Route:
    given = {"name": "r", "match": envoy.RouteMatch(prefix="/"), "route": envoy.RouteAction(cluster="c"), **more}
    return envoy.Route(**given)


def table(*routes: envoy.Route, name: str = "http", domains: tuple[str, ...] = ("a.test",)) -> envoy.RouteConfiguration:
    return envoy.RouteConfiguration(name, (envoy.VirtualHost("v", domains, routes),))


def chain(name: str, *, secret: str = "", hosts: tuple[str, ...] = ()) -> envoy.FilterChain:
    manager = envoy.HttpConnectionManager(
        stat_prefix="http", rds=envoy.Rds("http", envoy.source("rds/http.json")), http_filters=()
    )
    socket = None
    if secret:
        certificates = (envoy.SdsSecretConfig(secret, envoy.source("sds/x.json")),)
        context = envoy.CommonTlsContext(tls_certificate_sds_secret_configs=certificates)
        socket = envoy.TransportSocket("tls", envoy.DownstreamTlsContext(context))
    match = envoy.FilterChainMatch(hosts) if hosts else None
    filters = (envoy.NetworkFilter("hcm", manager),)
    return envoy.FilterChain(name=name, filters=filters, filter_chain_match=match, transport_socket=socket)


def listener(*chains: envoy.FilterChain) -> envoy.Listener:
    return envoy.Listener(name="l", address=envoy.Address(envoy.SocketAddress("::", 80)), filter_chains=chains)


ASSIGNMENT = envoy.ClusterLoadAssignment("s")
SECRET = envoy.Secret("ns/x", envoy.TlsCertificate(envoy.DataSource("c"), envoy.DataSource("k")))
GOOD = EnvoyConfig(
    listeners=(listener(chain("a", secret="ns/x", hosts=("a.test",))),),
    routes=(table(route()),),
    clusters=(cluster(),),
    assignments=(ASSIGNMENT,),
    secrets=(SECRET,),
)


def test_a_good_configuration_has_no_problems() -> None:
    assert discovery.validate(GOOD) == ()


WEIGHTLESS = envoy.WeightedClusters((envoy.ClusterWeight("c", 0),))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clusters": ()}, "route r refers to cluster c, which does not exist"),
        ({"assignments": ()}, "cluster c has no assignment"),
        ({"secrets": ()}, "filter chain a refers to secret ns/x, which does not exist"),
        ({"routes": ()}, "filter chain a refers to routes http, which do not exist"),
        ({"clusters": (cluster(), cluster())}, "cluster c occurs 2 times"),
        ({"assignments": (ASSIGNMENT, ASSIGNMENT)}, "assignment s occurs 2 times"),
        ({"secrets": (SECRET, SECRET)}, "secret ns/x occurs 2 times"),
        ({"listeners": (listener(chain("a"), chain("a")),)}, "filter chain in l a occurs 2 times"),
        (
            {"listeners": (listener(chain("a", hosts=("h",)), chain("b", hosts=("h",))),)},
            "server name in l h occurs 2 times",
        ),
        ({"routes": (table(route(), domains=("x", "x")),)}, "domain in http x occurs 2 times"),
        ({"routes": (table(route(match=envoy.RouteMatch())),)}, "route r must have exactly one path form"),
        (
            {"routes": (table(route(match=envoy.RouteMatch(prefix="/", path="/"))),)},
            "route r must have exactly one path form",
        ),
        ({"routes": (table(route(route=None)),)}, "route r must have exactly one action"),
        (
            {"routes": (table(route(redirect=envoy.RedirectAction())),)},
            "route r must have exactly one action",
        ),
        (
            {"routes": (table(route(route=envoy.RouteAction(weighted_clusters=WEIGHTLESS))),)},
            "route r has no weight above 0",
        ),
        ({"clusters": (cluster(), cluster(""))}, "cluster has an empty name"),
    ],
)
def test_each_problem_is_found(change: dict[str, Any], problem: str) -> None:
    broken = msgspec.structs.replace(GOOD, **change)
    assert discovery.validate(broken) == (problem,)
    with pytest.raises(ValueError, match=re.escape(problem)):
        discovery.render(broken, "/d")


def test_files_are_one_response_each() -> None:
    files = discovery.render(GOOD, "/d")
    assert sorted(files) == ["cds.json", "eds/s.json", "lds.json", "rds/http.json", "sds/ns_x.json"]
    found = json.loads(files["sds/ns_x.json"])
    assert found["version_info"] == discovery.version(files["sds/ns_x.json"])
    assert [r["name"] for r in found["resources"]] == ["ns/x"]


def test_paths_are_absolute_in_files_only() -> None:
    assert b'"/d/eds/s.json"' in discovery.render(GOOD, "/d")["cds.json"]
    with pytest.raises(msgspec.ValidationError, match="below"):
        discovery.parse(discovery.render(GOOD, "/d"), "/elsewhere")


def test_parsing_a_rendering_returns_it() -> None:
    assert discovery.parse(discovery.render(GOOD, "/d"), "/d") == GOOD
    assert discovery.parse({"cds.json": discovery.clusters_file(GOOD.clusters, "/d")}, "/d").clusters == GOOD.clusters


def test_versions_are_of_the_content() -> None:
    first, second = discovery.render(GOOD, "/d"), discovery.render(GOOD, "/d")
    assert first == second
    changed = discovery.render(msgspec.structs.replace(GOOD, clusters=(cluster(), cluster("d"))), "/d")
    assert [name for name in first if first[name] != changed[name]] == ["cds.json"]


def test_administration_is_a_socket_and_never_a_port() -> None:
    made = json.loads(discovery.bootstrap("/d", "/p/admin.sock", "pod-0"))
    assert made["admin"] == {"address": {"pipe": {"path": "/p/admin.sock", "mode": 0o600}}}
    assert b"port_value" not in discovery.bootstrap("/d", "/p/admin.sock", "pod-0")
    assert made["dynamic_resources"]["cds_config"]["path_config_source"]["path"] == "/d/cds.json"
