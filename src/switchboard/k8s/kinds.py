"""The kinds that Kubernetes 1.36 serves and we know: group, version, names, scope, subresources.

In: an apiVersion and kind, or a resource name as kubectl writes it.  Out: a frozen ``Kind``.
Called by the API server, controllers, manifest loading and the command line.
Specification: discovery documents of kube-apiserver 1.36.
"""

from __future__ import annotations

import msgspec

from switchboard.k8s import names


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind at one version; ``plural`` is the resource name in paths, ``group`` is empty for core.

    ``status_subresource`` and ``scale_subresource`` say which subresources exist beside the object itself.
    ``preferred`` is false for older versions of a kind that is also served at a newer one,
    ``custom`` says that a CustomResourceDefinition made it.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    status_subresource: bool = False
    scale_subresource: bool = False
    preferred: bool = True
    custom: bool = False

    @property
    def key(self) -> str:
        """What the store knows its objects by: the name of the kind, which a custom kind shares with other groups."""
        return f"{self.kind}.{self.group}" if self.custom else self.kind

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """``plural`` or ``plural.group``, unique among preferred kinds."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """``/api/v1`` or ``/apis/group/version``: where the API server serves this version."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of a collection or an object; a cluster-scoped kind ignores the namespace."""
        space = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.prefix}{space}/{self.plural}" + (f"/{name}" if name else "")


def _rows(group: str, version: str, table: str, *, preferred: bool = True) -> list[Kind]:
    """Kinds of one table: ``Kind plural short,names flags``; flags n(amespaced) s(tatus) c(scale) a(category all)."""
    rows = []
    for line in table.strip().splitlines():
        kind, plural, short, flags = line.split()
        rows.append(
            Kind(
                group=group,
                version=version,
                kind=kind,
                plural=plural,
                singular=kind.lower(),
                short_names=() if short == "-" else tuple(short.split(",")),
                namespaced="n" in flags,
                categories=("all",) if "a" in flags else ("api-extensions",) if "x" in flags else (),
                status_subresource="s" in flags,
                scale_subresource="c" in flags,
                preferred=preferred,
            )
        )
    return rows


_CORE = """
Namespace              namespaces              ns      s
Node                   nodes                   no      s
Pod                    pods                    po      nsa
Service                services                svc     nsa
Endpoints              endpoints               ep      n
ConfigMap              configmaps              cm      n
Secret                 secrets                 -       n
ServiceAccount         serviceaccounts         sa      n
Event                  events                  ev      n
LimitRange             limitranges             limits  n
ResourceQuota          resourcequotas          quota   ns
PersistentVolume       persistentvolumes       pv      s
PersistentVolumeClaim  persistentvolumeclaims  pvc     ns
PodTemplate            podtemplates            -       n
ReplicationController  replicationcontrollers  rc      nsca
"""
_APPS = """
Deployment          deployments          deploy  nsca
ReplicaSet          replicasets          rs      nsca
StatefulSet         statefulsets         sts     nsca
DaemonSet           daemonsets           ds      nsa
ControllerRevision  controllerrevisions  -       n
"""
_BATCH = """
Job      jobs      -   nsa
CronJob  cronjobs  cj  nsa
"""
_NETWORKING = """
Ingress        ingresses        ing     ns
IngressClass   ingressclasses   -       -
NetworkPolicy  networkpolicies  netpol  n
ServiceCIDR    servicecidrs     -       s
IPAddress      ipaddresses      ip      -
"""
_RBAC = """
Role                roles                -  n
RoleBinding         rolebindings         -  n
ClusterRole         clusterroles         -  -
ClusterRoleBinding  clusterrolebindings  -  -
"""
_ADMISSION = """
ValidatingWebhookConfiguration    validatingwebhookconfigurations    -  x
MutatingWebhookConfiguration      mutatingwebhookconfigurations      -  x
ValidatingAdmissionPolicy         validatingadmissionpolicies        -  sx
ValidatingAdmissionPolicyBinding  validatingadmissionpolicybindings  -  x
"""

KINDS: tuple[Kind, ...] = (
    *_rows(names.CORE, "v1", _CORE),
    *_rows(names.APPS, "v1", _APPS),
    *_rows(names.BATCH, "v1", _BATCH),
    *_rows(names.DISCOVERY, "v1", "EndpointSlice endpointslices - n"),
    *_rows(names.NETWORKING, "v1", _NETWORKING),
    *_rows(names.AUTOSCALING, "v2", "HorizontalPodAutoscaler horizontalpodautoscalers hpa nsa"),
    *_rows(names.AUTOSCALING, "v1", "HorizontalPodAutoscaler horizontalpodautoscalers hpa nsa", preferred=False),
    *_rows(names.POLICY, "v1", "PodDisruptionBudget poddisruptionbudgets pdb ns"),
    *_rows(names.RBAC, "v1", _RBAC),
    *_rows(names.COORDINATION, "v1", "Lease leases - n"),
    *_rows(names.EVENTS, "v1", "Event events ev n"),
    *_rows(names.APIEXTENSIONS, "v1", "CustomResourceDefinition customresourcedefinitions crd,crds sx"),
    *_rows(names.STORAGE, "v1", "StorageClass storageclasses sc -"),
    *_rows(names.SCHEDULING, "v1", "PriorityClass priorityclasses pc -"),
    *_rows(names.APIREGISTRATION, "v1", "APIService apiservices - sx"),
    *_rows(names.ADMISSION, "v1", _ADMISSION),
)

_BY_VERSION = {(k.api_version, k.kind): k for k in KINDS}
_BY_NAME: dict[str, Kind] = {}
for _kind in sorted(KINDS, key=lambda k: not k.preferred):
    _words = (_kind.plural, _kind.singular, *_kind.short_names)
    for _name in (*_words, *(f"{word}.{_kind.group}" for word in _words if _kind.group)):
        _BY_NAME.setdefault(_name, _kind)


def kind_of(api_version: str, kind: str) -> Kind | None:
    """The kind of an object, None when it is not one of ours (a custom resource, or a wrong version)."""
    return _BY_VERSION.get((api_version, kind))


def find(resource: str) -> Kind | None:
    """What ``kubectl get RESOURCE`` means: plural, singular, short name, or ``plural.group``; case does not matter."""
    return _BY_NAME.get(resource.lower())


def named(kind: str) -> tuple[Kind, ...]:
    """All versions of kinds with this name, preferred ones first; case does not matter."""
    wanted = kind.lower()
    return tuple(sorted((k for k in KINDS if k.kind.lower() == wanted), key=lambda k: not k.preferred))
