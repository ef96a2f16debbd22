"""What the API server refuses, kind by kind, with Kubernetes' own field paths and reasons.

In: an object with defaults (``k8s.defaults``) and, on updates, the stored one.  Out: findings; no object raises.
Called by ``k8s.acceptance`` and the API server.
Specification: behaviours of the Service API, and the recorded answers of kube-apiserver 1.36 in tests/cases/api.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from switchboard.base.findings import Finding
from switchboard.k8s import objects
from switchboard.k8s.objects import Object
from switchboard.k8s.validation import (
    access,
    core,
    endpoints,
    ingress,
    metadata,
    networkpolicy,
    pod,
    scaling,
    service,
    workload,
)
from switchboard.k8s.validation.report import REASONS, Report

__all__ = ["REASONS", "validate"]

_Validator = Callable[[Report, Object, Object | None], None]
_BY_KIND: Final[dict[tuple[str, str], _Validator]] = {
    ("v1", "Service"): service.validate,
    ("networking.k8s.io/v1", "Ingress"): ingress.validate,
    ("networking.k8s.io/v1", "IngressClass"): ingress.validate_class,
    ("networking.k8s.io/v1", "NetworkPolicy"): networkpolicy.validate,
    ("v1", "Pod"): pod.validate,
    ("apps/v1", "Deployment"): workload.deployment,
    ("apps/v1", "ReplicaSet"): workload.replica_set,
    ("apps/v1", "StatefulSet"): workload.stateful_set,
    ("apps/v1", "DaemonSet"): workload.daemon_set,
    ("batch/v1", "Job"): workload.job,
    ("batch/v1", "CronJob"): workload.cron_job,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): scaling.autoscaler,
    ("policy/v1", "PodDisruptionBudget"): scaling.budget,
    ("v1", "Endpoints"): endpoints.endpoints,
    ("discovery.k8s.io/v1", "EndpointSlice"): endpoints.endpoint_slice,
    ("rbac.authorization.k8s.io/v1", "Role"): access.role,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): access.cluster_role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): access.binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): access.binding,
    **core.KINDS,
}


def validate(obj: Object, old: Object | None = None) -> list[Finding]:
    """What is wrong with an object by itself (errors) and what deserves a warning; kinds without rules pass.

    Args:
        obj: the object as it would be stored, defaults filled in.
        old: the stored object that it replaces, None at creation.
    """
    report = Report(obj)
    metadata.validate(report, obj, old)
    validator = _BY_KIND.get((objects.api_version(obj), objects.kind(obj)))
    if validator is not None:
        validator(report, obj, old)
    return report.findings
