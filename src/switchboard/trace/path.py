"""The path of one request through the view, hop by hop, with exact probabilities and reasons.

Comes in: a ``View`` (or a ``Lookup`` over it, for many requests) and a request.  Goes out: a ``Path``.
Called by the ``trace`` command and the demo.  Names: ``trace.name``; one node's rules: ``trace.node``; the gateway:
``trace.gateway``.  What the view does not decide ends as UNKNOWN with the reason; nothing is guessed.
Policies (``trace.policy``) are a hop where they have a say about a connection.
Probabilities are those of a new connection of a client without history (no affinity entry, no cookie but those given).
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import ip_address, ip_network

import msgspec

from switchboard.base.findings import Finding
from switchboard.trace.gateway import HttpRequest, answered, serve
from switchboard.trace.lookup import Destination, Entry, Lookup
from switchboard.trace.name import Resolved, resolve_in_cluster, resolve_outside
from switchboard.trace.node import Ruling, Source, rule
from switchboard.trace.policy import Judgement, judge, policy_hop
from switchboard.trace.request import OutsideRequest, PodRequest, Url, canonical_address, parse_url
from switchboard.trace.result import ONE, Choice, Hop, HopKind, Outcome, Path, Stretch, Verdict, finish, shares
from switchboard.trace.route import plain_host
from switchboard.view.choice import addresses_of, family_of
from switchboard.view.model import View
from switchboard.view.node import Node, Pod
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort


class _Asked(msgspec.Struct, frozen=True):
    """The request in the form that all stations share; ``pod`` is None for an outside client."""

    text: str
    url: Url
    protocol: str
    http: HttpRequest
    client: str
    pod: Pod | None
    begin: Hop


# What the gateway answers when it cannot connect to a pod.
_UPSTREAM_FAILS = 503
# The other two kinds show in the hop before.
_KINDS = {Destination.NODE_PORT: "NodePort of ", Destination.EXTERNAL_IP: "externalIP of "}


def trace(view: View | Lookup, request: OutsideRequest | PodRequest) -> Path:
    """The path of a request; a request that makes no sense gives a path with findings and verdict INVALID."""
    lookup = view if isinstance(view, Lookup) else Lookup(view)
    asked = _outside(request) if isinstance(request, OutsideRequest) else _inside(request, lookup)
    source = request.pod if isinstance(request, PodRequest) else request.client or "outside"
    if isinstance(asked, Finding):
        outcome = Outcome(verdict=Verdict.INVALID, reason=asked.message, hint=asked.hint)
        path = finish(source, request.url, (), (outcome,))
        return msgspec.structs.replace(path, findings=(asked,))
    if isinstance(request, OutsideRequest):
        found = Resolved(address=canonical_address(request.address)) if request.address else None
        found = found or resolve_outside(asked.url.host, lookup)
    else:
        found = resolve_in_cluster(asked.url.host, request.pod.partition("/")[0], lookup)
    way = _from_address(asked, found, lookup)
    hops = (asked.begin, *((found.hop,) if found.hop else ()), *way.hops)
    return finish(source, str(asked.url), hops, way.outcomes)


def _outside(request: OutsideRequest) -> _Asked | Finding:
    url = parse_url(request.url)
    if isinstance(url, Finding):
        return url
    for name, value in (("client", request.client), ("address", request.address)):
        if value and not canonical_address(value):
            return Finding(reference="bad-address", message=f"{value!r} is no address.", field=name)
    hop = Hop(kind=HopKind.CLIENT, name=f"outside client {request.client}".strip(), what=f"asks for {url}")
    http = _http(url, request.headers, request.cookies)
    return _Asked(request.url, url, _protocol(url, "TCP"), http, canonical_address(request.client), None, hop)


def _inside(request: PodRequest, lookup: Lookup) -> _Asked | Finding:
    url = parse_url(request.url)
    if isinstance(url, Finding):
        return url
    pod = lookup.pods.get(request.pod)
    if pod is None:
        hint = "Name it as namespace/name; `switchboard status` lists the pods."
        return Finding(reference="no-such-pod", message=f"There is no pod {request.pod}.", hint=hint)
    where = f"node {pod.node}" if pod.node else "no node yet"
    hop = Hop(kind=HopKind.CLIENT, name=f"pod {pod.key}", where=where, what=f"asks for {url}")
    http = _http(url, request.headers, request.cookies)
    return _Asked(request.url, url, _protocol(url, request.protocol), http, "", pod, hop)


def _http(url: Url, headers: dict[str, str], cookies: dict[str, str]) -> HttpRequest:
    names = {k.lower(): v for k, v in headers.items()}
    pairs = (part.strip().partition("=") for part in names.get("cookie", "").split(";") if part.strip())
    return HttpRequest(url, plain_host(names.get("host", url.host)), names, {n: v for n, _, v in pairs} | cookies)


def _protocol(url: Url, wanted: str) -> str:
    return "UDP" if url.scheme == "udp" else wanted


def _from_address(asked: _Asked, found: Resolved, lookup: Lookup) -> Stretch:
    if found.end:
        return Stretch((), (found.end,))
    if asked.pod and not asked.pod.node:
        reason = f"Pod {asked.pod.key} has no node yet, so nothing can be said about its connections."
        return Stretch((), (Outcome(verdict=Verdict.UNKNOWN, reason=reason),))
    if found.headless:
        return _headless(asked, found.headless, lookup)
    entry = lookup.entry(found.address, asked.url.port, asked.protocol)
    if entry is None:
        return Stretch((), (_no_entry(asked, found.address, lookup),))
    if asked.pod:
        node = lookup.nodes.get(asked.pod.node)
        if node is None:
            reason = f"Node {asked.pod.node} of pod {asked.pod.key} is not known."
            return Stretch((), (Outcome(verdict=Verdict.UNKNOWN, reason=reason),))
        return _through_nodes(asked, entry, (node,), lookup)
    return _from_outside(asked, entry, lookup)


def _from_outside(asked: _Asked, entry: Entry, lookup: Lookup) -> Stretch:
    if entry.kind is Destination.LOAD_BALANCER:
        return _load_balancer(asked, entry, lookup)
    if entry.kind is Destination.CLUSTER_IP:
        reason = f"{entry.address} is a ClusterIP: it means something on the nodes of the cluster only."
        hint = "Publish the Service by a LoadBalancer, a NodePort or an Ingress."
        return Stretch((), (Outcome(verdict=Verdict.UNREACHABLE, reason=reason, hint=hint),))
    node = lookup.node_addresses.get(entry.address)
    if node is None:
        reason = f"{entry.address} is an externalIP: to which node the network outside brings it is not known."
        return Stretch((), (Outcome(verdict=Verdict.UNKNOWN, reason=reason),))
    if entry.kind is Destination.NODE_PORT:
        primary = addresses_of(node.addresses, family_of(entry.address))[0]
        if primary != entry.address:
            reason = f"NodePorts answer on the primary address of node {node.name} only, which is {primary}."
            return Stretch((), (Outcome(verdict=Verdict.UNREACHABLE, reason=reason, hint=f"Connect to {primary}."),))
    return _through_nodes(asked, entry, (node,), lookup)


def _load_balancer(asked: _Asked, entry: Entry, lookup: Lookup) -> Stretch:
    port = entry.port
    service = f"{port.namespace}/{port.name}"
    nodes = tuple(n for n in lookup.view.nodes if n.ready and n.load_balanced)
    sharing = lookup.balanced[entry.address]
    if all(p.external_local for p in sharing):
        # An address goes to nodes, not to ports: health checks count the ready endpoints of all ports (K126, K128).
        local = {e.node for p in sharing for e in p.endpoints if e.ready and not e.terminating}
        nodes = tuple(n for n in nodes if n.name in local)
        why = "externalTrafficPolicy Local: only nodes with a ready endpoint of the Service"
    elif port.external_local:
        why = "a Service with externalTrafficPolicy Cluster has the same address, so every node takes it"
    else:
        why = "externalTrafficPolicy Cluster: every ready node that is not excluded"
    address = f"{entry.address}:{port.port}" if ":" not in entry.address else f"[{entry.address}]:{port.port}"
    hop = Hop(
        kind=HopKind.LOAD_BALANCER,
        name=address,
        where=f"Service {service}",
        what=f"spreads connections over {len(nodes)} node{'' if len(nodes) == 1 else 's'}",
        why=why,
        choices=tuple(Choice(n.name, Fraction(1, len(nodes)), n.zone) for n in nodes),
    )
    if not nodes:
        reason = f"No node takes connections to {address} ({why})."
        hint = f"See whether pods of {service} are ready, and on which nodes."
        return Stretch((hop,), (Outcome(verdict=Verdict.UNREACHABLE, reason=reason, hint=hint),))
    rest = _through_nodes(asked, entry, nodes, lookup)
    return Stretch((hop, *rest.hops), rest.outcomes)


def _through_nodes(asked: _Asked, entry: Entry, nodes: tuple[Node, ...], lookup: Lookup) -> Stretch:
    """The rules of nodes that share the connections equally, and what comes after them."""
    source, client = _source(asked, entry)
    each = Fraction(1, len(nodes))
    rulings = [(n, rule(entry, n, source, client)) for n in nodes]
    chosen: list[tuple[str, Fraction]] = []
    reached: dict[Endpoint, Fraction] = {}
    via: dict[str, dict[str, None]] = {}
    judged: list[tuple[Judgement, Fraction]] = []
    ends: list[Outcome] = []
    for node, ruling in rulings:
        if ruling.end:
            ends.append(msgspec.structs.replace(ruling.end, probability=each))
            via.setdefault(ruling.end.verdict.value, {})[node.name] = None
        for endpoint in ruling.endpoints:
            share = each / len(ruling.endpoints)
            chosen.append((_label(endpoint), share))
            via.setdefault(_label(endpoint), {})[node.name] = None
            masked = node if ruling.masquerade else None
            judgement = judge(lookup, asked.pod or client, endpoint, asked.protocol, via=masked)
            judged.append((judgement, share))
            if judgement.allowed:
                reached[endpoint] = reached.get(endpoint, Fraction(0)) + share
    hop = _node_hop(entry, rulings, shares([*chosen, *_ended(ends)]), via)
    hops = tuple(filter(None, (hop, policy_hop(judged))))
    ends += _kept_out(judged)
    if not reached:
        return Stretch(hops, tuple(ends))
    rest = _arrive(asked, entry.port, reached, lookup)
    return Stretch((*hops, *rest.hops), (*rest.outcomes, *ends))


def _kept_out(judged: list[tuple[Judgement, Fraction]]) -> list[Outcome]:
    """How those connections end that policies do not allow, one outcome for each judgement."""
    total: dict[Judgement, Fraction] = {}
    for judgement, share in judged:
        if not judgement.allowed:
            total[judgement] = total.get(judgement, Fraction(0)) + share
    return [judgement.end(share) for judgement, share in total.items()]


def _source(asked: _Asked, entry: Entry) -> tuple[Source, str]:
    if asked.pod is None:
        return Source.OUTSIDE, asked.client
    own = addresses_of(asked.pod.addresses, family_of(entry.address))
    return Source.NODE if asked.pod.host_network else Source.POD, own[0] if own else ""


def _ended(ends: list[Outcome]) -> list[tuple[str, Fraction]]:
    return [(o.verdict.value, o.probability) for o in ends]


def _label(endpoint: Endpoint) -> str:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return endpoint.pod or f"{host}:{endpoint.port}"


def _node_hop(
    entry: Entry, rulings: list[tuple[Node, Ruling]], choices: tuple[Choice, ...], via: dict[str, dict[str, None]]
) -> Hop:
    port = entry.port
    reasons = list(dict.fromkeys(r.why for _, r in rulings if r.endpoints))
    ports = sorted({e.port for _, r in rulings for e in r.endpoints})
    what = "no endpoint to send to"
    if reasons:
        forwarding = next(r for _, r in rulings if r.endpoints)
        kept = "replaced by the node's" if forwarding.masquerade else "kept"
        what = f"to port {'/'.join(map(str, ports))} of one endpoint, source address {kept}"
        if port.affinity_seconds:
            reasons.append(
                f"ClientIP affinity keeps a client on its choice for {_span(port.affinity_seconds)}, per node"
            )
    everyone = len(rulings)
    named = tuple(
        Choice(c.name, c.probability, "" if len(via[c.name]) == everyone else f"through {', '.join(via[c.name])}")
        for c in choices
    )
    return Hop(
        kind=HopKind.NODE,
        name=f"{_KINDS.get(entry.kind, '')}Service {port.namespace}/{port.name}:{port.port_name or port.port}",
        where=f"rules of node {rulings[0][0].name}" if everyone == 1 else f"rules of {everyone} nodes",
        what=what,
        why="; ".join(reasons),
        choices=named,
    )


def _span(seconds: int) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _arrive(asked: _Asked, port: ServicePort, reached: dict[Endpoint, Fraction], lookup: Lookup) -> Stretch:
    """What happens at the endpoints: a gateway sends on, any other pod answers."""
    gateway = lookup.gateways.get(f"{port.namespace}/{port.name}")
    total = sum(reached.values(), Fraction(0))
    if gateway is None or asked.url.scheme not in ("http", "https"):
        return Stretch((), tuple(answered(e, port, lookup, p) for e, p in reached.items()))
    hop = Hop(
        kind=HopKind.GATEWAY,
        name=gateway.name,
        where=", ".join(dict.fromkeys(_label(e) for e in reached)),
        what="ends the connection, sends each request on",
        why=f"its pods are the endpoints of Service {gateway.service}",
    )
    wrong = _wrong_scheme(asked, port, gateway)
    if wrong:
        return Stretch((hop,), (msgspec.structs.replace(wrong, probability=total),))
    stretch = _upstream(serve(gateway, asked.http, lookup), {e: p / total for e, p in reached.items()}, lookup)
    outcomes = stretch.outcomes
    if total != ONE:
        outcomes = tuple(msgspec.structs.replace(o, probability=o.probability * total) for o in outcomes)
    return Stretch((hop, *stretch.hops), outcomes)


def _upstream(stretch: Stretch, gateways: dict[Endpoint, Fraction], lookup: Lookup) -> Stretch:
    """The stretch of a gateway with what policies do to its own connections to pods."""
    judged: list[tuple[Judgement, Fraction]] = []
    outcomes: list[Outcome] = []
    for outcome in stretch.outcomes:
        if outcome.target is None:
            outcomes.append(outcome)
            continue
        target = Endpoint(outcome.target.address, outcome.target.port, pod=outcome.target.pod)
        mine = [
            (judge(lookup, lookup.pods.get(g.pod) or g.address, target, "TCP"), outcome.probability * share)
            for g, share in gateways.items()
        ]
        judged += mine
        allowed = sum((share for judgement, share in mine if judgement.allowed), Fraction(0))
        if allowed:
            outcomes.append(msgspec.structs.replace(outcome, probability=allowed))
        outcomes += (msgspec.structs.replace(o, status=_UPSTREAM_FAILS) for o in _kept_out(mine))
    hop = policy_hop(judged, "connections of the gateway")
    return Stretch((*stretch.hops, *((hop,) if hop else ())), tuple(outcomes))


def _wrong_scheme(asked: _Asked, port: ServicePort, gateway: Gateway) -> Outcome | None:
    """How plain HTTP to a TLS port ends, and the reverse; None when they fit or the port does not say."""
    said = port.app_protocol.lower() or port.port_name.lower() or {80: "http", 443: "https"}.get(port.port, "")
    if said not in ("http", "https") or said == asked.url.scheme:
        return None
    reason = f"Port {port.port} of gateway {gateway.name} speaks {said}, the URL says {asked.url.scheme}."
    return Outcome(verdict=Verdict.REFUSED, reason=reason, hint="Use the scheme that belongs to the port.")


def _headless(asked: _Asked, ports: tuple[ServicePort, ...], lookup: Lookup) -> Stretch:
    """A name without a virtual address: the pod connects to a ready pod on the very port that it names."""
    service = f"{ports[0].namespace}/{ports[0].name}"
    ready = {e.address: e for p in ports for e in p.endpoints if e.ready}
    if not ready:
        reason = f"The name of headless Service {service} has no address: none of its pods is ready."
        return Stretch((), (Outcome(verdict=Verdict.UNRESOLVED, reason=reason),))
    listening = {
        e.address: (e, p) for p in ports for e in p.endpoints if e.ready and (e.port, p.protocol) == _wanted(asked)
    }
    if set(listening) != set(ready):
        known = ", ".join(map(str, sorted({e.port for p in ports for e in p.endpoints})))
        reason = f"A headless Service translates no ports, and port {asked.url.port} is not one of {service}: {known}."
        return Stretch((), (Outcome(verdict=Verdict.UNKNOWN, reason=reason, hint="Ask for the pod's own port."),))
    each = Fraction(1, len(listening))
    judged = [(judge(lookup, asked.pod or asked.client, e, asked.protocol), each) for e, _ in listening.values()]
    pairs = zip(listening.values(), judged, strict=True)
    outcomes = tuple(answered(e, p, lookup, each) for (e, p), (judgement, _) in pairs if judgement.allowed)
    choices = tuple(Choice(_label(e), each, e.address) for e, _ in listening.values())
    why = "one address for each ready pod; the client takes one of them"
    hop = Hop(kind=HopKind.PODS, name="pods", what="reached directly", why=why, choices=choices)
    return Stretch(tuple(filter(None, (hop, policy_hop(judged)))), (*outcomes, *_kept_out(judged)))


def _wanted(asked: _Asked) -> tuple[int, str]:
    return asked.url.port, asked.protocol


def _no_entry(asked: _Asked, address: str, lookup: Lookup) -> Outcome:
    """How a connection ends that no Service takes."""
    port, network = asked.url.port, lookup.view.network
    kind = lookup.kind(address)
    published = ", ".join(map(str, lookup.ports_of(address)))
    if kind is Destination.CLUSTER_IP and asked.pod:
        reason = f"The Service of {address} has no port {asked.protocol} {port}."
        return Outcome(verdict=Verdict.REFUSED, reason=reason, hint=f"Its ports are {published}.")
    if kind:
        reason = f"No Service publishes {asked.protocol} port {port} of {address}."
        return Outcome(verdict=Verdict.UNREACHABLE, reason=reason, hint=f"Published there: {published}.")
    pod = lookup.pod_addresses.get(address)
    if asked.pod and pod:
        return _pod_directly(asked, asked.pod, pod, address, lookup)
    if address in lookup.node_addresses:
        name = lookup.node_addresses[address].name
        reason = f"No Service has NodePort {port}; what listens on node {name} itself is not known."
        return Outcome(verdict=Verdict.UNKNOWN, reason=reason)
    if asked.pod and any(ip_address(address) in ip_network(c, strict=False) for c in network.service_cidrs):
        reason = f"No Service has the address {address}, and the nodes drop unused addresses of the Service range."
        return Outcome(verdict=Verdict.DROPPED, reason=reason)
    if pod:
        reason = f"{address} is the address of pod {pod.key}; pod addresses are not published outside the cluster."
        return Outcome(verdict=Verdict.UNREACHABLE, reason=reason)
    reason = f"{address} belongs to nothing in this cluster."
    return Outcome(verdict=Verdict.UNKNOWN, reason=reason, hint="Check the address.")


def _pod_directly(asked: _Asked, source: Pod, pod: Pod, address: str, lookup: Lookup) -> Outcome:
    endpoint = Endpoint(address, asked.url.port, node=pod.node, pod=pod.key)
    judgement = judge(lookup, source, endpoint, asked.protocol)
    if not judgement.allowed and source.key != pod.key:
        return judgement.end(ONE)
    declared = any((p.number, p.protocol) == _wanted(asked) for p in pod.ports)
    if not declared:
        reason = f"Pod {pod.key} declares no port {asked.protocol} {asked.url.port}; whether it listens is not known."
        return Outcome(verdict=Verdict.UNKNOWN, reason=reason)
    return answered(endpoint, None, lookup, ONE)
