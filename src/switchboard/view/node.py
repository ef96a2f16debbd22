"""Neutral facts about nodes and pods.  Made by ``view.build``, read by compilers, tracer and reports."""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node: the first address of each family is its primary one; ``zone`` is empty when unlabelled.

    ``load_balanced`` is false for nodes that external load balancers must leave out.
    """

    name: str
    addresses: tuple[str, ...] = ()
    zone: str = ""
    pod_cidrs: tuple[str, ...] = ()
    ready: bool = True
    load_balanced: bool = True
    labels: dict[str, str] = {}


class PodPort(msgspec.Struct, frozen=True):
    """A port that a container declares; ``name`` may be empty, ``protocol`` is TCP, UDP or SCTP."""

    name: str
    number: int
    protocol: str = "TCP"


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that has been given a node and addresses (both are empty before that)."""

    namespace: str
    name: str
    uid: str = ""
    node: str = ""
    addresses: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    images: tuple[str, ...] = ()
    ports: tuple[PodPort, ...] = ()
    host_network: bool = False
    ready: bool = False
    terminating: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"
