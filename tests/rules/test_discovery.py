"""A whole configuration: dangling references are found, rendering is stable, parsing is its inverse."""

import json
import re
from typing import Any

import msgspec
import pytest

from switchboard.rules import discovery, envoy
from switchboard.rules.discovery import EnvoyConfig, KeyPair

HTTP = envoy.HttpProtocolOptions(envoy.ExplicitHttpConfig({}))


def cluster(name: str = "c") -> envoy.Cluster:
    return envoy.Cluster(
        name=name,
        type="STATIC",
        load_assignment=envoy.ClusterLoadAssignment(name),
        connect_timeout="5s",
        typed_extension_protocol_options=envoy.ClusterExtensions(HTTP),
    )


def route(**more: Any) -> envoy.Route:
    given = {"name": "r", "match": envoy.RouteMatch(prefix="/"), "route": envoy.RouteAction(cluster="c"), **more}
    return envoy.Route(**given)


def table(*routes: envoy.Route, name: str = "http", domains: tuple[str, ...] = ("a.test",)) -> envoy.RouteConfiguration:
    return envoy.RouteConfiguration(name, (envoy.VirtualHost("v", domains, routes),))


def chain(name: str, *, pair: KeyPair | None = None, hosts: tuple[str, ...] = ()) -> envoy.FilterChain:
    manager = envoy.HttpConnectionManager(
        stat_prefix="http", rds=envoy.Rds("http", envoy.source("rds/http.json")), http_filters=()
    )
    socket = None
    if pair:
        context = envoy.CommonTlsContext(tls_certificates=(pair.message,))
        socket = envoy.TransportSocket("tls", envoy.DownstreamTlsContext(context))
    match = envoy.FilterChainMatch(hosts) if hosts else None
    filters = (envoy.NetworkFilter("hcm", manager),)
    return envoy.FilterChain(name=name, filters=filters, filter_chain_match=match, transport_socket=socket)


def listener(*chains: envoy.FilterChain) -> envoy.Listener:
    return envoy.Listener(name="l", address=envoy.Address(envoy.SocketAddress("::", 80)), filter_chains=chains)


PAIR = KeyPair("chain", "hush", "ns/x")
GOOD = EnvoyConfig(
    listeners=(listener(chain("a", pair=PAIR, hosts=("a.test",))),),
    routes=(table(route()),),
    clusters=(cluster(),),
    key_pairs=(PAIR,),
)


def test_a_good_configuration_has_no_problems() -> None:
    assert discovery.validate(GOOD) == ()


WEIGHTLESS = envoy.WeightedClusters((envoy.ClusterWeight("c", 0),))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clusters": ()}, "route r refers to cluster c, which does not exist"),
        ({"key_pairs": ()}, f"filter chain a refers to {PAIR.stem}.key, which does not exist"),
        ({"routes": ()}, "filter chain a refers to routes http, which do not exist"),
        ({"clusters": (cluster(), cluster())}, "cluster c occurs 2 times"),
        ({"key_pairs": (PAIR, PAIR)}, "key pair ns/x occurs 2 times"),
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
    assert sorted(files) == ["cds.json", "lds.json", "rds/http.json", f"{PAIR.stem}.crt", f"{PAIR.stem}.key"]
    found = json.loads(files["lds.json"])
    assert found["version_info"] == discovery.version(files["lds.json"])
    assert [r["name"] for r in found["resources"]] == ["l"]


def test_a_key_stands_in_its_own_file_alone() -> None:
    files = discovery.render(GOOD, "/d")
    assert [name for name, content in files.items() if b"hush" in content] == [f"{PAIR.stem}.key"]
    assert "hush" not in repr(GOOD)


def test_other_content_of_a_secret_has_another_file() -> None:
    assert KeyPair("chain", "new", "ns/x").stem != PAIR.stem


def test_paths_are_absolute_in_files_only() -> None:
    assert b'"/d/rds/http.json"' in discovery.render(GOOD, "/d")["lds.json"]
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
