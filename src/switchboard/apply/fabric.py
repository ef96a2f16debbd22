"""Carries out a ``rules.lab.Lab`` with netlink: links, bridges, addresses, routes, settings.

Namespaces are descriptors (``apply.netns``); one netlink socket is kept for each.  Called by ``run`` only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from ipaddress import ip_network
from types import TracebackType
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from switchboard.apply import netns
from switchboard.rules.lab import Address, Bridge, Lab, Link, Route

_SCOPE_LINK = 253
_ONLINK = 4  # RTNH_F_ONLINK


class Fabric:
    """Namespaces by name, and what is done in them; not thread-safe."""

    def __init__(self, namespaces: dict[str, int]) -> None:
        self.namespaces = namespaces
        self._sockets: dict[str, Any] = {}

    def __enter__(self) -> Fabric:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for open_socket in self._sockets.values():
            open_socket.close()
        self._sockets.clear()

    def make(self, lab: Lab) -> None:
        """Makes everything that the lab lists; raises OSError or NetlinkError at the first refusal."""
        for name in lab.namespaces:
            if name not in self.namespaces:
                self.namespaces[name] = netns.create()
        self._links(lab.links)
        for setting in lab.settings:
            with netns.entered(self.namespaces[setting.namespace]):
                netns.sysctl(setting.name, setting.value)
        for bridge in lab.bridges:
            self._bridge(bridge)
        for namespace, name, port in lab.bridge_ports:
            master = self._index(namespace, name)
            self._socket(namespace).link("set", index=self._index(namespace, port), master=master)
        for address in lab.addresses:
            self._address(address)
        for route in lab.routes:
            self.route(route)

    def forget(self, name: str) -> None:
        """Lets go of a namespace; the kernel removes it and its links with the last socket in it."""
        netlink = self._sockets.pop(name, None)
        if netlink is not None:
            netlink.close()
        os.close(self.namespaces.pop(name))

    def route(self, route: Route) -> None:
        """Adds a route, replacing the one to the same destination."""
        self._socket(route.namespace).route("replace", **self._route_arguments(route))

    def unroute(self, route: Route) -> None:
        """Removes the route to a destination; none there is fine."""
        try:
            self._socket(route.namespace).route("del", dst=route.destination)
        except NetlinkError as error:
            if error.code != 3:  # ESRCH
                raise

    def remove_link(self, namespace: str, interface: str) -> None:
        """Removes an interface and its peer; none there is fine."""
        for index in self._socket(namespace).link_lookup(ifname=interface):
            self._socket(namespace).link("del", index=index)

    def overlapping(self, namespace: str, ranges: Iterable[str]) -> str:
        """The first destination among a namespace's routes, the default aside, that overlaps a range; else empty."""
        wanted = [ip_network(cidr) for cidr in ranges]
        for route in self._socket(namespace).get_routes(family=socket.AF_INET):
            destination = route.get_attr("RTA_DST")
            if destination:
                network = ip_network(f"{destination}/{route['dst_len']}")
                if any(network.overlaps(other) for other in wanted):
                    return str(network)
        return ""

    def _socket(self, namespace: str) -> Any:
        netlink = self._sockets.get(namespace)
        if netlink is None:
            with netns.entered(self.namespaces[namespace]):
                netlink = IPRoute()
            self._sockets[namespace] = netlink
        return netlink

    def _index(self, namespace: str, interface: str) -> int:
        found = self._socket(namespace).link_lookup(ifname=interface)
        if not found:
            raise OSError(f"no interface {interface} in {namespace}")
        return int(found[0])

    def _links(self, links: Iterable[Link]) -> None:
        for link in links:
            (left, left_name), (right, right_name) = link.left, link.right
            self._socket(right).link(
                "add",
                ifname=right_name,
                kind="veth",
                peer={"ifname": left_name, "net_ns_fd": self.namespaces[left]},
            )
            for namespace, name in (link.left, link.right):
                self._up(namespace, name)
            self._up(left, "lo")

    def _up(self, namespace: str, interface: str) -> None:
        self._socket(namespace).link("set", index=self._index(namespace, interface), state="up")

    def _bridge(self, bridge: Bridge) -> None:
        netlink = self._socket(bridge.namespace)
        netlink.link("add", ifname=bridge.name, kind="bridge")
        index = self._index(bridge.namespace, bridge.name)
        for port in bridge.ports:
            netlink.link("set", index=self._index(bridge.namespace, port), master=index)
        netlink.link("set", index=index, state="up")

    def _address(self, address: Address) -> None:
        host, _, length = address.address.partition("/")
        scope = {"scope": _SCOPE_LINK} if address.local else {}
        self._socket(address.namespace).addr(
            "add",
            index=self._index(address.namespace, address.interface),
            address=host,
            prefixlen=int(length),
            **scope,
        )

    def _route_arguments(self, route: Route) -> dict[str, Any]:
        arguments: dict[str, Any] = {"dst": route.destination}
        if route.source:
            arguments["prefsrc"] = route.source
        if route.interface:
            arguments["oif"] = self._index(route.namespace, route.interface)
        if len(route.gateways) > 1:
            arguments["multipath"] = [{"gateway": gateway} for gateway in route.gateways]
        elif route.gateways:
            arguments["gateway"] = route.gateways[0]
        elif route.interface:
            arguments["scope"] = _SCOPE_LINK
        else:
            arguments["type"] = "unreachable"
        if route.onlink:
            arguments["flags"] = _ONLINK
        return arguments
