"""Discovery: which groups, versions and resources there are, document by document or aggregated.

In: the resources.  Out: APIVersions, APIGroupList, APIGroup, APIResourceList, APIGroupDiscoveryList.
Called by the router.
Specification: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api.server.resources import Resource, Resources, Subresource
from switchboard.k8s import names
from switchboard.k8s.objects import Object

AGGREGATED: Final = "APIGroupDiscoveryList"


def core_versions(address: str) -> Object:
    """``/api``; ``address`` is where this server is reached."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(resources: Resources) -> Object:
    """``/apis``."""
    groups = [_group(name, versions) for name, versions in resources.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Resources, name: str) -> Object | None:
    """``/apis/GROUP``, None when there is no such group."""
    versions = resources.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions and name else None


def _group(name: str, versions: dict[str, list[Resource]]) -> Object:
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def resource_list(resources: Resources, group_name: str, version: str) -> Object | None:
    """``/api/v1`` and ``/apis/GROUP/VERSION``, None when there is no such version."""
    found = resources.groups().get(group_name, {}).get(version)
    if found is None:
        return None
    entries: list[Object] = []
    for resource in sorted(found, key=lambda r: r.kind.plural):
        entries.append(_entry(resource))
        entries += [_below(resource, sub) for sub in resource.subresources]
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _entry(resource: Resource) -> Object:
    kind = resource.kind
    found: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(resource.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    return found


def _below(resource: Resource, sub: Subresource) -> Object:
    found: Object = {
        "name": f"{resource.kind.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.kind.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if sub.version:
        found["group"], found["version"] = sub.group, sub.version
    return found


def aggregated(resources: Resources, *, core: bool) -> Object:
    """``/api`` (the core group) or ``/apis`` (all others) as one document."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_described(r) for r in sorted(found, key=lambda r: r.kind.plural)],
                    "freshness": "Current",
                }
                for version, found in versions.items()
            ],
        }
        for name, versions in resources.groups().items()
        if (name == "") is core
    ]
    return {"kind": AGGREGATED, "apiVersion": f"{names.APIDISCOVERY}/v2", "metadata": {}, "items": items}


def _described(resource: Resource) -> Object:
    kind = resource.kind
    found: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": _kind(resource, kind.kind, "", ""),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(resource.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if resource.subresources:
        found["subresources"] = [
            {
                "subresource": s.name,
                "responseKind": _kind(resource, s.kind, s.group, s.version),
                "verbs": list(s.verbs),
            }
            for s in resource.subresources
        ]
    return found


def _kind(resource: Resource, kind: str, group_name: str, version: str) -> Object:
    """Empty for the resource's own group, which clients fill in; custom resources name theirs."""
    if resource.custom and not version:
        return {"group": resource.kind.group, "version": resource.kind.version, "kind": kind}
    return {"group": group_name, "version": version, "kind": kind}
