"""Well-known labels, annotations, finalizers, taints and API groups: the only place of such literals.

Called by controllers, view, api and checks, which import the constants instead of spelling them.
Specification: https://kubernetes.io/docs/reference/labels-annotations-taints/
"""

from __future__ import annotations

from typing import Final

# API groups; the core group is the empty string.
CORE: Final = ""
APPS: Final = "apps"
BATCH: Final = "batch"
AUTOSCALING: Final = "autoscaling"
POLICY: Final = "policy"
DISCOVERY: Final = "discovery.k8s.io"
NETWORKING: Final = "networking.k8s.io"
RBAC: Final = "rbac.authorization.k8s.io"
COORDINATION: Final = "coordination.k8s.io"
APIEXTENSIONS: Final = "apiextensions.k8s.io"
EVENTS: Final = "events.k8s.io"
STORAGE: Final = "storage.k8s.io"
SCHEDULING: Final = "scheduling.k8s.io"
ADMISSION: Final = "admissionregistration.k8s.io"
APIREGISTRATION: Final = "apiregistration.k8s.io"
GATEWAY: Final = "gateway.networking.k8s.io"
SWITCHBOARD: Final = "switchboard.dev"
SWITCHBOARD_API_VERSION: Final = "switchboard.dev/v1"

# Namespaces that every cluster has, and our own.
DEFAULT_NAMESPACE: Final = "default"
SYSTEM_NAMESPACE: Final = "kube-system"
SWITCHBOARD_NAMESPACE: Final = "switchboard-system"
NAMESPACE_NAME_LABEL: Final = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER: Final = "kubernetes"

# Nodes.
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
ARCH_LABEL: Final = "kubernetes.io/arch"
OS_LABEL: Final = "kubernetes.io/os"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
REGION_LABEL: Final = "topology.kubernetes.io/region"
CONTROL_PLANE_LABEL: Final = "node-role.kubernetes.io/control-plane"
EXCLUDE_BALANCER_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
NOT_READY_TAINT: Final = "node.kubernetes.io/not-ready"
UNREACHABLE_TAINT: Final = "node.kubernetes.io/unreachable"
UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"
DISK_PRESSURE_TAINT: Final = "node.kubernetes.io/disk-pressure"
MEMORY_PRESSURE_TAINT: Final = "node.kubernetes.io/memory-pressure"
PID_PRESSURE_TAINT: Final = "node.kubernetes.io/pid-pressure"
NETWORK_UNAVAILABLE_TAINT: Final = "node.kubernetes.io/network-unavailable"
AUTOSCALER_DELETE_TAINT: Final = "ToBeDeletedByClusterAutoscaler"
PUBLIC_NAMESPACE: Final = "kube-public"
NODE_LEASE_NAMESPACE: Final = "kube-node-lease"

# Services and their endpoints.
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
HEADLESS_LABEL: Final = "service.kubernetes.io/headless"
PROXY_NAME_LABEL: Final = "service.kubernetes.io/service-proxy-name"
SLICE_MANAGED_BY_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER: Final = "endpointslice-controller.k8s.io"
SLICE_MIRRORING_CONTROLLER: Final = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR_LABEL: Final = "endpointslice.kubernetes.io/skip-mirror"
ENDPOINTS_MANAGED_BY_LABEL: Final = "endpoints.kubernetes.io/managed-by"
ENDPOINTS_CONTROLLER: Final = "endpoint-controller"
ENDPOINTS_OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
LAST_CHANGE_TRIGGER_TIME: Final = "endpoints.kubernetes.io/last-change-trigger-time"
TOPOLOGY_MODE: Final = "service.kubernetes.io/topology-mode"
TOPOLOGY_AWARE_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
LOAD_BALANCER_CLEANUP: Final = "service.kubernetes.io/load-balancer-cleanup"
LOAD_BALANCER_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
IP_FAMILY_LABEL: Final = "ipaddress.kubernetes.io/ip-family"
IP_MANAGED_BY_LABEL: Final = "ipaddress.kubernetes.io/managed-by"
IP_ALLOCATOR: Final = "ipallocator.k8s.io"
SERVICE_CIDR_FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
LEADER_ANNOTATION: Final = "control-plane.alpha.kubernetes.io/leader"

# Ingress.
NGINX_PREFIX: Final = "nginx.ingress.kubernetes.io/"
INGRESS_CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
DEFAULT_INGRESS_CLASS: Final = "ingressclass.kubernetes.io/is-default-class"
NGINX_CONTROLLER: Final = "k8s.io/ingress-nginx"
TLS_SECRET_TYPE: Final = "kubernetes.io/tls"
CLUSTER_ISSUER: Final = "cert-manager.io/cluster-issuer"
ISSUER: Final = "cert-manager.io/issuer"
TLS_ACME: Final = "kubernetes.io/tls-acme"
CERTIFICATE_NAME: Final = "cert-manager.io/certificate-name"

# Workloads.
REVISION: Final = "deployment.kubernetes.io/revision"
DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"
POD_TEMPLATE_HASH: Final = "pod-template-hash"
CONTROLLER_REVISION_HASH: Final = "controller-revision-hash"
POD_INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"
STATEFULSET_POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
POD_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
JOB_NAME_LABEL: Final = "batch.kubernetes.io/job-name"
JOB_UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
OLD_JOB_NAME_LABEL: Final = "job-name"
OLD_JOB_UID_LABEL: Final = "controller-uid"
DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
FOREGROUND_DELETION: Final = "foregroundDeletion"
ORPHAN_DEPENDENTS: Final = "orphan"

# The recommended labels of an application.
APP_NAME_LABEL: Final = "app.kubernetes.io/name"
APP_INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
APP_VERSION_LABEL: Final = "app.kubernetes.io/version"
APP_COMPONENT_LABEL: Final = "app.kubernetes.io/component"
APP_PART_OF_LABEL: Final = "app.kubernetes.io/part-of"
APP_MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"

# Our own.
SWITCHBOARD_PREFIX: Final = "switchboard.dev/"
GATEWAY_LABEL: Final = "switchboard.dev/gateway"
MANAGED_BY: Final = "switchboard"
STANDIN_PREFIX: Final = "standin.switchboard.dev/"
CLUSTER_ISSUER_NAME: Final = "switchboard-ca"
