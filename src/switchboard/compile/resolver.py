"""A pod's resolver: its resolv.conf and hosts file as Kubernetes writes them, and the names that it asks for.

In go the fields of a pod as plain values; out come ``Resolver``, file texts, and the order of names to try.
Called by ``run.pods``, the kubelet and tests.
Specification: Pod v1 dnsPolicy, dnsConfig, hostAliases; resolv.conf(5); kubelet 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

CLUSTER_OPTIONS: Final = ("ndots:5",)
_MOST_SERVERS = 3
_MOST_SEARCHES = 32
_LOCAL: Final = (
    ("127.0.0.1", ("localhost",)),
    ("::1", ("localhost", "ip6-localhost", "ip6-loopback")),
    ("fe00::", ("ip6-localnet",)),
    ("fe00::", ("ip6-mcastprefix",)),
    ("fe00::1", ("ip6-allnodes",)),
    ("fe00::2", ("ip6-allrouters",)),
)


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolv.conf says; ``options`` as written there (``ndots:5``)."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def ndots(self) -> int:
        """How many dots a name needs to be tried as it is first; 1 unless an option says otherwise."""
        values = [option[6:] for option in self.options if option.startswith("ndots:")]
        return min(15, int(values[-1])) if values and values[-1].isdecimal() else 1

    def text(self) -> str:
        """The file."""
        lines = ["search " + " ".join(self.searches)] if self.searches else []
        lines += [f"nameserver {server}" for server in self.servers]
        lines += ["options " + " ".join(self.options)] if self.options else []
        return "\n".join(lines) + "\n"


def pod_resolver(
    policy: str, namespace: str, host: Resolver, server: str, domain: str, *, host_network: bool = False
) -> Resolver:
    """What dnsPolicy asks for, before dnsConfig; ``server`` is the cluster's DNS, ``host`` the node's resolver."""
    if policy == "None":
        return Resolver()
    if policy == "Default" or (policy == "ClusterFirst" and host_network) or not server:
        return host
    searches = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *host.searches)
    return Resolver(servers=(server,), searches=tuple(dict.fromkeys(searches)), options=CLUSTER_OPTIONS)


def with_config(
    resolver: Resolver, servers: Iterable[str], searches: Iterable[str], options: Iterable[tuple[str, str]]
) -> Resolver:
    """With a pod's dnsConfig: added to, without repetitions; an option replaces one of the same name."""
    merged: dict[str, str] = {}
    for option in resolver.options:
        name, _, value = option.partition(":")
        merged[name] = value
    merged.update(options)
    return Resolver(
        servers=tuple(dict.fromkeys((*resolver.servers, *servers)))[:_MOST_SERVERS],
        searches=tuple(dict.fromkeys((*resolver.searches, *searches)))[:_MOST_SEARCHES],
        options=tuple(f"{name}:{value}" if value else name for name, value in merged.items()),
    )


def read_resolver(text: str) -> Resolver:
    """A host's resolv.conf; lines that are not understood are skipped."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if keyword == "nameserver":
            servers += values[:1]
        elif keyword in ("search", "domain"):
            searches = values
        elif keyword == "options":
            options = values
    return Resolver(servers=tuple(servers[:_MOST_SERVERS]), searches=tuple(searches), options=tuple(options))


def hosts_file(address: str, names: Sequence[str], aliases: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A pod's /etc/hosts: what every machine has, the pod's own names, its hostAliases."""
    lines = ["# Kubernetes-managed hosts file."]
    lines += ["\t".join((local, *own)) for local, own in _LOCAL]
    lines.append("\t".join((address, *names)))
    extra = ["\t".join((alias, *own)) for alias, own in aliases]
    if extra:
        lines += ["", "# Entries added by HostAliases.", *extra]
    return "\n".join(lines) + "\n"


def aliases_of(hosts: str) -> Mapping[str, str]:
    """Names of a hosts file to their first address."""
    found: dict[str, str] = {}
    for line in hosts.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name.lower(), address)
    return found


def candidates(name: str, searches: Iterable[str], ndots: int, *, musl: bool = False) -> tuple[str, ...]:
    """The absolute names that a resolver asks for, in this order, until one has an answer.

    musl does not search at all for names with enough dots; glibc does so after the name itself.
    """
    if name.endswith("."):
        return (name,)
    searched = tuple(f"{name}.{search.rstrip('.')}." if search.rstrip(".") else f"{name}." for search in searches)
    itself = f"{name}."
    if name.count(".") < ndots:
        return (*searched, itself)
    return (itself,) if musl else (itself, *searched)
