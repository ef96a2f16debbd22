"""The cluster's names in the kubelet: DNS servers in their pods, and names that stand-ins call.

In: changes of names from control (``names_changes`` makes them there).  Out: answers on the sockets of DNS pods, and
addresses for ``Kubelet._connect`` without a socket in between.
"""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from switchboard.compile._dns_records import RecordType, wire_name
from switchboard.compile.dns import Zone, ZoneOptions
from switchboard.compile.resolver import aliases_of, candidates
from switchboard.run.pod_files import PodFiles
from switchboard.serve.dns.responder import Responder
from switchboard.serve.dns.server import DnsServer, serve_metrics
from switchboard.serve.dns.upstream import Recorded
from switchboard.view.name import NamedService, Names, PodAddresses

DNS_IMAGE: Final = "switchboard.dev/dns"
METRICS_PORT: Final = 9153


class NamesChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is new: Services as they are now, keys of those that have gone; None where nothing has changed."""

    services: tuple[NamedService, ...] = ()
    removed: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    pods: tuple[PodAddresses, ...] | None = None


def names_change(before: Names, after: Names) -> NamesChange | None:
    """The way from ``before`` to ``after``, None when they are equal."""
    if before == after:
        return None
    old = {service.key: service for service in before.services}
    new = {service.key: service for service in after.services}
    return NamesChange(
        tuple(service for key, service in new.items() if old.get(key) != service),
        tuple(key for key in old if key not in new),
        None if before.namespaces == after.namespaces else after.namespaces,
        None if before.pods == after.pods else after.pods,
    )


class ClusterNames:
    """One zone for all; a server for each DNS pod.  Nothing exists outside the cluster."""

    def __init__(self, domain: str) -> None:
        self.zone = Zone(ZoneOptions(domain=domain))
        self._servers: dict[str, tuple[str, DnsServer, list[Any]]] = {}

    def change(self, change: NamesChange) -> None:
        """Takes effect for the next question."""
        for key in change.removed:
            self.zone.remove(key)
        for service in change.services:
            self.zone.put(service)
        if change.namespaces is not None:
            self.zone.set_namespaces(change.namespaces)
        if change.pods is not None:
            self.zone.set_pods(change.pods)

    async def serve(
        self, key: str, address: str, streams: Sequence[socket.socket], datagrams: Sequence[socket.socket]
    ) -> None:
        """Serves in the pod ``key``, on sockets made inside it."""
        responder = Responder(self.zone, Recorded(), secret=os.urandom(32), clock=time.time)
        pages = [each for each in streams if each.getsockname()[1] == METRICS_PORT]
        server = DnsServer(responder)
        await server.start([each for each in streams if each not in pages], datagrams)
        metrics = [await serve_metrics(responder, each) for each in pages]
        self._servers[key] = (address, server, metrics)
        self._tell_addresses()

    async def stop(self, key: str) -> None:
        """Ends the server of a pod, if there is one."""
        found = self._servers.pop(key, None)
        if found is not None:
            _, server, metrics = found
            await server.close()
            for page in metrics:
                page.close()
            self._tell_addresses()

    def resolve(self, host: str, files: PodFiles) -> str:
        """The IPv4 address that a program in a pod would get; raises socket.gaierror as its resolver would."""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            pass
        alias = aliases_of(files.hosts).get(host.lower())
        if alias:
            return alias
        for name in candidates(host, files.resolver.searches, files.resolver.ndots):
            answer = self.zone.find(wire_name(name), RecordType.A)
            found = [record.data for record in answer.answers if record.type == RecordType.A] if answer else []
            if found:
                return random.choice(found)
        raise socket.gaierror(socket.EAI_NONAME, f"{host}: no such name in the cluster")

    def _tell_addresses(self) -> None:
        self.zone.set_servers(tuple(sorted(address for address, _, _ in self._servers.values())))
