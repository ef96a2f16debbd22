"""nftables rules for people: the same text, with a comment behind each element that names the Service it is for.

In go a ruleset of the nftables mode and the view it was compiled from; out comes text that ``nft -f`` takes as well.
Called by ``cli`` through the mode.
"""

from __future__ import annotations

from collections.abc import Iterator

from switchboard.rules.nft import Ruleset, Set, Table, render_chain, render_set
from switchboard.view.model import View
from switchboard.view.service import ServicePort


def render(ruleset: Ruleset, view: View) -> str:
    """Every table, with comments; elements one a line, sorted by key."""
    names = _names(view)
    return "".join(_table(table, names) for table in ruleset.tables)


def _table(table: Table, names: dict[str, str]) -> str:
    lines = [f"table {table.family} {table.name} {{"]
    for name in sorted(table.sets):
        lines += _set(name, table.sets[name], names)
    for name in sorted(table.chains):
        lines += render_chain(name, table.chains[name])
    return "\n".join([*lines, "}", ""])


def _set(name: str, set_: Set, names: dict[str, str]) -> Iterator[str]:
    *head, end = render_set(name, set_.definition())
    yield from head
    if set_.elements:
        yield "\t\telements = {"
        for key in sorted(set_.elements):
            data = set_.elements[key]
            whose = names.get(_subject(name, key))
            yield f"\t\t\t{key}{' : ' + data if data else ''},{f'  # {whose}' if whose else ''}"
        yield "\t\t}"
    yield end


def _subject(name: str, key: str) -> str:
    """What an element is about: ``address``, ``address . protocol . port`` or ``protocol . port``.

    Maps of one protocol leave it out of the key and have the number of the endpoint at its end.
    """
    protocol = name.partition("-")[0]
    if protocol not in ("tcp", "udp", "sctp"):
        return key
    parts = key.split(" . ")[:-1]
    return " . ".join((*parts[:-1], protocol, parts[-1]))


def _names(view: View) -> dict[str, str]:
    found: dict[str, str] = {}
    for port in (p for p in view.services if p.proxied):
        protocol, said = port.protocol.lower(), _readable(port)
        for address in (*port.cluster_ips, *port.load_balancer_ips, *port.external_ips):
            found.setdefault(f"{address} . {protocol} . {port.port}", said)
        for address in port.cluster_ips:
            found.setdefault(address, f"{port.namespace}/{port.name}")
        if port.node_port:
            found.setdefault(f"{protocol} . {port.node_port}", said)
        for e in port.endpoints:
            found.setdefault(f"{e.address} . {e.address} . {protocol} . {e.port}", said)
    return found


def _readable(port: ServicePort) -> str:
    return f"{port.namespace}/{port.name}" + (f":{port.port_name}" if port.port_name else "")
