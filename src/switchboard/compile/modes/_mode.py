"""What a proxy mode is, and the settings that all modes understand.

A mode is one file in this directory that exports ``MODE``; ``base.discovery`` finds it.
Called by the modes, ``run`` and ``cli``.
Specification: the settings are those of kube-proxy 1.36, K39 to K45 and K73 to K78 of the behaviour list.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from switchboard.base.findings import Finding
from switchboard.view.model import View


class DetectLocal(StrEnum):
    """How a source is recognised as a pod's."""

    CLUSTER_CIDR = "ClusterCIDR"
    NODE_CIDR = "NodeCIDR"
    BRIDGE_INTERFACE = "BridgeInterface"
    INTERFACE_NAME_PREFIX = "InterfaceNamePrefix"


class ProxyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one node's proxy.

    ``cluster_cidrs`` are the pods' ranges for CLUSTER_CIDR: None takes those of the view, and an empty tuple switches
    the detection off.  ``interface`` is the bridge or the prefix for the two detections by interface.
    ``node_port_addresses`` is empty for the mode's default, ``("primary",)``, or CIDRs.
    ``local_addresses`` are the addresses that the node has besides those in the view; lists of CIDRs choose among all.
    ``localhost_node_ports`` lets IPv4 NodePorts answer on loopback, in modes that can (K77).
    ``tcp_liberal`` says that connection tracking is told to accept packets outside of the window (K149).
    ``ipvs_scheduler`` is for the IPVS mode (V3).
    ``masquerade_bit`` is the number of the bit of the packet mark, from 0 to 31.
    """

    detect_local: DetectLocal = DetectLocal.CLUSTER_CIDR
    cluster_cidrs: tuple[str, ...] | None = None
    interface: str = ""
    masquerade_all: bool = False
    node_port_addresses: tuple[str, ...] = ()
    local_addresses: tuple[str, ...] = ()
    localhost_node_ports: bool = True
    tcp_liberal: bool = False
    ipvs_scheduler: str = "rr"
    masquerade_bit: int = 14


Compile = Callable[[View, str, ProxyOptions], tuple[Any, tuple[Finding, ...]]]
Render = Callable[[Any, View], str]


class Mode(msgspec.Struct, frozen=True):
    """One way to program a node.

    ``compile`` takes the view, the node's name and settings, and returns the typed rules of the mode and findings.
    ``render`` makes text of these rules, for people and for the tracer, with comments that name Services of the view.
    ``features`` are what the mode can do; a packet flow that needs another is a finding, never a silent skip.
    """

    name: str
    compile: Compile
    render: Render
    features: frozenset[str] = frozenset()
