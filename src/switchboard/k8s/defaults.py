"""What the API server fills in when an object leaves it out.

In: an object as it was sent.  Out: a new object; the input is never changed, no input raises.
Called by ``k8s.acceptance`` and the API server, before validation.
Specification: behaviours of the Service API (1.1, S10 to S12) and pkg/apis/*/v1/defaults.go of Kubernetes 1.36.
Allocated values (addresses, node ports) and what admission adds are not defaults and not made here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from switchboard.k8s import names, objects, pod_defaults, resource_defaults
from switchboard.k8s.objects import Object, copied, mapping, sequence
from switchboard.k8s.pod_defaults import fill, fill_empty

AFFINITY_SECONDS: Final = 10800
_CLUSTER_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer")


def default(obj: Object) -> Object:
    """The object with the defaults of its kind; kinds without defaults come back as a copy."""
    result: Object = copied(obj)
    fill_in = _DEFAULTS.get((objects.api_version(result), objects.kind(result)))
    if fill_in:
        if "spec" not in result or result["spec"] is None:
            result["spec"] = {}
        if isinstance(result["spec"], dict):
            fill_in(result)
    resource_defaults.fill_in(result)
    if (objects.api_version(result), objects.kind(result)) == ("v1", "Namespace"):
        _namespace(result)
    return result


def default_on_read(obj: Object, families: Sequence[str]) -> Object:
    """A stored Service as an older one must look when it is read; ``families`` are the cluster's, primary first."""
    result: Object = copied(obj)
    spec = result.get("spec")
    if objects.kind(result) != "Service" or not isinstance(spec, dict):
        return result
    if spec.get("type") == "ExternalName":
        spec.pop("internalTrafficPolicy", None)
        return result
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if not sequence(spec.get("ipFamilies")):
        spec["ipFamilies"] = _families(spec, families)
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = "RequireDualStack" if len(spec["ipFamilies"]) > 1 else "SingleStack"
    return result


def _families(spec: dict[str, Any], families: Sequence[str]) -> list[str]:
    addresses = [a for a in sequence(spec.get("clusterIPs")) if isinstance(a, str)]
    if addresses[:1] != ["None"]:
        return ["IPv6" if ":" in address else "IPv4" for address in addresses] or list(families[:1])
    if spec.get("selector"):
        return list(families[:1])
    # Headless without selector: both, whatever the cluster has, the cluster's own first.
    return [*families, *(f for f in ("IPv4", "IPv6") if f not in families)]


def _service(obj: Object) -> None:
    spec = obj["spec"]
    fill_empty(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = mapping(spec.get("sessionAffinityConfig"))
        if mapping(config.get("clientIP")).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
    for port in sequence(spec.get("ports")):
        if isinstance(port, dict):
            fill_empty(port, protocol="TCP", targetPort=port.get("port") or 0)
    if spec["type"] in ("NodePort", "LoadBalancer") or (spec["type"] == "ClusterIP" and spec.get("externalIPs")):
        fill_empty(spec, externalTrafficPolicy="Cluster")
    if spec["type"] in _CLUSTER_TYPES:
        fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
        for ingress in sequence(mapping(objects.status(obj).get("loadBalancer")).get("ingress")):
            if isinstance(ingress, dict) and ingress.get("ip"):
                fill(ingress, ipMode="VIP")


def _template(holder: Any) -> None:
    """The pod template of a workload's spec, which always has metadata."""
    template = mapping(holder).get("template")
    if isinstance(template, dict):
        fill(template, metadata={})
        if isinstance(template.get("spec"), dict):
            pod_defaults.template(template["spec"])


def _pod(obj: Object) -> None:
    pod_defaults.pod(obj["spec"])


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    if isinstance(strategy, dict):
        fill_empty(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(strategy, rollingUpdate={})
            if isinstance(strategy["rollingUpdate"], dict):
                fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replica_set(obj: Object) -> None:
    fill(obj["spec"], replicas=1)
    _template(obj["spec"])


def _stateful_set(obj: Object) -> None:
    spec = obj["spec"]
    fill(spec, replicas=1, revisionHistoryLimit=10, updateStrategy={}, serviceName="")
    fill(spec, persistentVolumeClaimRetentionPolicy={})
    fill_empty(spec, podManagementPolicy="OrderedReady")
    if isinstance(spec["persistentVolumeClaimRetentionPolicy"], dict):
        fill_empty(spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain")
    _strategy(spec["updateStrategy"], partition=0)
    for claim in sequence(spec.get("volumeClaimTemplates")):
        if isinstance(claim, dict):
            claim.update(kind="PersistentVolumeClaim", apiVersion="v1")
            fill(claim, status={"phase": "Pending"})
            if isinstance(claim.get("spec"), dict):
                fill(claim["spec"], volumeMode="Filesystem")
    _template(spec)


def _daemon_set(obj: Object) -> None:
    spec = obj["spec"]
    fill(spec, revisionHistoryLimit=10, updateStrategy={})
    _strategy(spec["updateStrategy"], maxUnavailable=1, maxSurge=0)
    _template(spec)


def _strategy(strategy: Any, **values: Any) -> None:
    if not isinstance(strategy, dict):
        return
    fill_empty(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy, rollingUpdate={})
        if isinstance(strategy["rollingUpdate"], dict):
            fill(strategy["rollingUpdate"], **values)


def _job(obj: Object) -> None:
    spec = obj["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    replacement = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    # A Job that limits the failures of each index has no limit in all.
    limit = 6 if spec.get("backoffLimitPerIndex") is None else 2**31 - 1
    fill(spec, parallelism=1, backoffLimit=limit, completionMode="NonIndexed", suspend=False, manualSelector=False)
    fill(spec, podReplacementPolicy=replacement)
    _template(spec)


def _cron_job(obj: Object) -> None:
    spec = obj["spec"]
    fill_empty(spec, concurrencyPolicy="Allow")
    fill(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    if isinstance(spec.get("jobTemplate"), dict):
        fill(spec["jobTemplate"], metadata={})
        _template(spec["jobTemplate"].get("spec"))


def _autoscaler(obj: Object) -> None:
    spec = obj["spec"]
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    fill(spec, podSelector={})
    for direction in ("ingress", "egress"):
        for rule in sequence(spec.get(direction)):
            for port in sequence(mapping(rule).get("ports")):
                if isinstance(port, dict):
                    fill(port, protocol="TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _ingress_class(obj: Object) -> None:
    parameters = obj["spec"].get("parameters")
    if isinstance(parameters, dict):
        fill(parameters, scope="Cluster")


def _namespace(obj: Object) -> None:
    """The label that lets policies select a namespace by name."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and objects.name(obj):
        fill(metadata, labels={})
        if isinstance(metadata["labels"], dict):
            metadata["labels"][names.NAMESPACE_NAME_LABEL] = objects.name(obj)


_DEFAULTS: Final[dict[tuple[str, str], Callable[[Object], None]]] = {
    ("v1", "Service"): _service,
    ("v1", "Pod"): _pod,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("batch/v1", "Job"): _job,
    ("batch/v1", "CronJob"): _cron_job,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _autoscaler,
    ("networking.k8s.io/v1", "NetworkPolicy"): _network_policy,
    ("networking.k8s.io/v1", "IngressClass"): _ingress_class,
}
