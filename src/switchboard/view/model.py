"""The view: all neutral facts of one cluster at one moment, frozen.

Made by ``view.build``; compilers, tracer, checks and reports know nothing else of Kubernetes.
"""

from __future__ import annotations

import msgspec

from switchboard.view.name import Names
from switchboard.view.node import Node, Pod
from switchboard.view.policy import Namespace, Policy
from switchboard.view.route import Gateway
from switchboard.view.service import ServicePort


class ClusterNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The address ranges of a cluster, one entry per family; empty when unknown."""

    service_cidrs: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    domain: str = "cluster.local"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides where traffic goes."""

    network: ClusterNetwork = ClusterNetwork()
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[ServicePort, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    policies: tuple[Policy, ...] = ()
    names: Names = Names()
