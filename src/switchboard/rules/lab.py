"""The lab as data: namespaces, links, addresses, routes and kernel settings of an embedded cluster.

Made by ``compile.lab``, carried out by ``apply.fabric``.  Addresses are written with their prefix length.
"""

from __future__ import annotations

import msgspec


class Link(msgspec.Struct, frozen=True):
    """A veth pair between two namespaces; each end is (namespace, interface name)."""

    left: tuple[str, str]
    right: tuple[str, str]


class Bridge(msgspec.Struct, frozen=True):
    """A bridge in a namespace with the interfaces that are its ports."""

    namespace: str
    name: str
    ports: tuple[str, ...]


class Address(msgspec.Struct, frozen=True):
    """An address with prefix length on an interface; ``local`` gives it link scope, never chosen as a source."""

    namespace: str
    interface: str
    address: str
    local: bool = False


class Route(msgspec.Struct, frozen=True):
    """A route: by gateways (several share the traffic), else out of an interface, else nowhere: unreachable.

    ``source`` is the preferred source address, empty for the kernel's choice.
    """

    namespace: str
    destination: str
    gateways: tuple[str, ...] = ()
    interface: str = ""
    source: str = ""
    onlink: bool = False


class Setting(msgspec.Struct, frozen=True):
    """A sysctl below net/, written with slashes."""

    namespace: str
    name: str
    value: str


class Lab(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has to be made, in this order.

    ``bridge_ports`` are further ports of bridges that exist: (namespace, bridge, interface).
    """

    namespaces: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    bridge_ports: tuple[tuple[str, str, str], ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    settings: tuple[Setting, ...] = ()
