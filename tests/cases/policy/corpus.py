"""Reads the recorded cases of this directory: as objects for the view, and as probes.

Loaded with ``runpy`` by the tests and the script that play them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from switchboard.view.choice import family_of
from switchboard.view.policy_decision import End, PolicyIndex

HERE = Path(__file__).parent
Case = dict[str, Any]


def cases(directory: Path = HERE) -> list[Case]:
    """All cases of a directory by id, those of the single files first."""
    single = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    lines = [line for path in sorted(directory.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return single + [json.loads(line) for line in lines]


def probes(case: Case) -> Iterator[Case]:
    """The probes of a case that are not disputed."""
    yield from (p for p in case.get("probes", ()) if not p.get("disputed"))
    matrix = case.get("matrix")
    if not matrix:
        return
    ports = [(text.partition("/")[0], int(text.partition("/")[2])) for text in matrix["ports"]]
    for source, row in zip(matrix["from"], matrix["rows"], strict=True):
        for target, cells in zip(matrix["to"], row.split(), strict=True):
            for (protocol, port), cell in zip(ports, cells, strict=True):
                if cell in "01":
                    allowed = cell == "1"
                    yield {"from": source, "to": target, "protocol": protocol, "port": port, "allowed": allowed}


def objects(case: Case) -> dict[str, list[Case]]:
    """The case as Kubernetes objects by kind."""
    return {
        "Namespace": [_object("Namespace", each) for each in case["namespaces"]],
        "Node": [_node(each) for each in case["nodes"]],
        "Pod": [_pod(each) for each in case["pods"]],
        "NetworkPolicy": case["policies"],
        "ClusterNetworkPolicy": case.get("clusterPolicies", []),
    }


def ends(index: PolicyIndex, probe: Case) -> tuple[End, End]:
    """Both ends of a probe, in the first family that they share (or the one that the probe names)."""
    for family in (probe["family"],) if "family" in probe else (4, 6):
        source, destination = index.end(probe["from"], family), index.end(probe["to"], family)
        if source and destination and family_of(source.address) == family_of(destination.address):
            return source, destination
    raise ValueError(f"no ends for {probe}")


def _object(kind: str, given: Case, **parts: Case) -> Case:
    space = {"namespace": given["namespace"]} if "namespace" in given else {}
    return {"kind": kind, "metadata": {"name": given["name"], "labels": given["labels"], **space}, **parts}


def _node(given: Case) -> Case:
    return _object("Node", given, status={"addresses": [{"type": "InternalIP", "address": a} for a in given["ips"]]})


def _pod(given: Case) -> Case:
    ports = [{"name": p["name"], "containerPort": p["port"], "protocol": p["protocol"]} for p in given["ports"]]
    containers = [{"name": "main", "ports": ports}]
    spec = {"nodeName": given["node"], "hostNetwork": given["hostNetwork"], "containers": containers}
    return _object("Pod", given, spec=spec, status={"podIPs": [{"ip": a} for a in given["ips"]]})
