"""Neutral facts that DNS answers from: Services with their endpoints by name, namespaces, and pods' addresses.

Made by ``view.build.names``; read by ``compile.dns``.
Other facts leave out what names need: Services without ports, ExternalName, hostnames, slices without a Service.
"""

from __future__ import annotations

import msgspec


class NamedPort(msgspec.Struct, frozen=True):
    """A port of a Service or of an EndpointSlice; ``name`` may be empty, ``protocol`` is TCP, UDP or SCTP."""

    name: str
    protocol: str
    port: int


class NamedEndpoint(msgspec.Struct, frozen=True):
    """One entry of a slice that is ready: canonical addresses, its ``hostname`` and its pod's name or nothing."""

    addresses: tuple[str, ...]
    hostname: str = ""
    pod: str = ""


class EndpointGroup(msgspec.Struct, frozen=True):
    """The endpoints of one slice with its ports: each endpoint has every port."""

    endpoints: tuple[NamedEndpoint, ...]
    ports: tuple[NamedPort, ...] = ()


class NamedService(msgspec.Struct, frozen=True, kw_only=True):
    """A Service as its names tell: by addresses of its own, by its endpoints (``headless``), or as an alias.

    ``exists`` is false when there are slices for it and no Service: then only its endpoints' addresses have names.
    """

    namespace: str
    name: str
    exists: bool = True
    headless: bool = False
    external_name: str = ""
    addresses: tuple[str, ...] = ()
    ports: tuple[NamedPort, ...] = ()
    groups: tuple[EndpointGroup, ...] = ()

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


class PodAddresses(msgspec.Struct, frozen=True):
    """The addresses of the pods of one namespace, sorted."""

    namespace: str
    addresses: tuple[str, ...]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has a name in a cluster; ``services`` and ``pods`` are sorted by key, ``namespaces`` by name."""

    services: tuple[NamedService, ...] = ()
    namespaces: tuple[str, ...] = ()
    pods: tuple[PodAddresses, ...] = ()
