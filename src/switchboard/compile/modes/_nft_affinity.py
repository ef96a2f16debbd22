"""ClientIP affinity: the chains and sets that a service port with affinity has for itself.

In go a service port and the choice of its endpoints; out come chains and sets by name.
Called by ``compile.modes.nftables``; only Services that ask for affinity pay for per-service objects (K98).
Specification: K90 to K99 of the behaviour list.
"""

from __future__ import annotations

from collections.abc import Iterable

from switchboard.compile.modes import _nft_names as names
from switchboard.compile.modes._nft_frame import Words, chain, goto, rule
from switchboard.rules.nft import Chain, Set
from switchboard.rules.nft_statement import Dnat, Match, Update
from switchboard.view.choice import Choice
from switchboard.view.service import Endpoint, ServicePort

# As many clients per endpoint as kube-proxy remembers.
_CLIENTS = 65535


def objects(words: Words, port: ServicePort, choice: Choice) -> tuple[dict[str, Chain], dict[str, Set]]:
    """The chains ``service-`` and ``local-`` over each list that is not empty, and a chain and a set per endpoint.

    Both lists share the endpoints' sets (K99).  The time-out is in the rule, not in the set: a new one needs no new
    set, and counts from the next connection on (K91, K96).
    """
    chains: dict[str, Chain] = {}
    sets: dict[str, Set] = {}
    for endpoint in choice.reachable:
        clients = names.of_endpoint("affinity", port, endpoint)
        sets[clients] = Set(typeof=True, key=words.saddr, flags=("dynamic", "timeout"), size=_CLIENTS)
        chains[names.of_endpoint("endpoint", port, endpoint)] = chain(
            rule(Update(clients, (words.saddr,), port.affinity_seconds)),
            rule(
                Match(("meta l4proto",), (port.protocol.lower(),)),
                Dnat(address=endpoint.address, port=endpoint.port),
            ),
        )
    for kind, endpoints in (("service", choice.cluster), ("local", choice.local)):
        if endpoints:
            chains[names.of_port(kind, port)] = _balance(words, port, endpoints)
    return chains, sets


def _balance(words: Words, port: ServicePort, endpoints: Iterable[Endpoint]) -> Chain:
    """First whoever has been here before, then each endpoint with equal probability.

    The rules of the second part match with 1/n, 1/(n-1) and so on: an anonymous map per service loads very slowly.
    """
    found = [(names.of_endpoint("affinity", port, e), goto(names.of_endpoint("endpoint", port, e))) for e in endpoints]
    again = [rule(Match((words.saddr,), (f"@{clients}",)), target) for clients, target in found]
    left = range(len(found), 1, -1)
    spread = [
        rule(Match((f"numgen random mod {n}",), ("0",)), target) for n, (_, target) in zip(left, found, strict=False)
    ]
    return chain(*again, *spread, rule(found[-1][1]))
