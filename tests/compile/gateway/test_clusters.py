"""Service ports as clusters: who gets requests, and how they are spoken to."""

from collections.abc import Callable

from switchboard.compile.gateway.clusters import Upstream, assignment, cluster, usable
from switchboard.compile.gateway.draft import Protocol
from switchboard.view.service import Endpoint, ServicePort

Make = Callable[..., ServicePort]


def test_ready_endpoints_get_requests(port: Make) -> None:
    ready, not_ready = Endpoint("10.0.0.1", 8080), Endpoint("10.0.0.2", 8080, ready=False, serving=False)
    assert usable(port("s", endpoints=(not_ready, ready))) == (ready,)


def test_terminating_ones_only_while_nobody_is_ready(port: Make) -> None:
    leaving = Endpoint("10.0.0.1", 8080, ready=False, serving=True, terminating=True)
    dead = Endpoint("10.0.0.2", 8080, ready=False, serving=False, terminating=True)
    assert usable(port("s", endpoints=(leaving, dead))) == (leaving,)
    assert usable(port("s", endpoints=(dead,))) == ()


def test_of_two_families_the_first_of_the_service(port: Make) -> None:
    four, six = Endpoint("10.0.0.1", 8080), Endpoint("fd00::1", 8080)
    assert usable(port("s", endpoints=(six, four), cluster_ips=("10.96.0.1", "fd00:1::1"))) == (four,)
    assert usable(port("s", endpoints=(four, six), cluster_ips=("fd00:1::1", "10.96.0.1"))) == (six,)
    assert usable(port("s", endpoints=(six,), cluster_ips=("10.96.0.1",))) == (six,)


def test_endpoints_are_grouped_by_zone_in_an_order_of_their_own(port: Make) -> None:
    endpoints = (
        Endpoint("10.0.0.2", 1, zone="b"),
        Endpoint("10.0.0.1", 1, zone="b"),
        Endpoint("10.0.0.3", 1, zone="a"),
    )
    made = assignment(port("s", endpoints=endpoints))
    assert made == assignment(port("s", endpoints=(*endpoints[::-1], endpoints[0])))
    found = [
        (g.locality and g.locality.zone, [e.endpoint.address.socket_address.address for e in g.lb_endpoints])
        for g in made.endpoints
    ]
    assert found == [("a", ["10.0.0.3"]), ("b", ["10.0.0.1", "10.0.0.2"])]


def test_ways_to_speak_are_clusters_of_the_same_endpoints(port: Make) -> None:
    ways = [
        Upstream("k"),
        Upstream("k", Protocol.HTTPS),
        Upstream("k", Protocol.GRPC),
        Upstream("k", connect_timeout=1),
    ]
    made = [cluster(w, port("s", "10.0.0.1")) for w in ways]
    assert [c.name for c in made] == ["k", "k|HTTPS", "k|GRPC", "k|1s"]
    assert {len(c.load_assignment.endpoints) for c in made} == {1}
    assert [c.transport_socket is not None for c in made] == [False, True, False, False]
    http2 = [c.typed_extension_protocol_options.http.explicit_http_config.http2_protocol_options for c in made]
    assert http2 == [None, None, {}, None]
    assert [c.connect_timeout for c in made] == ["5s", "5s", "5s", "1s"]
