import pytest

from switchboard.api import errors


def test_a_new_cluster_has_its_namespaces(cluster_store):
    found = [n["metadata"]["name"] for n in cluster_store.list("Namespace")[0]]
    assert found == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_defaults_are_filled_in(cluster_store, deployment):
    made = cluster_store.create(deployment())
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"


def test_nothing_enters_a_missing_or_terminating_namespace(cluster_store, config_map):
    with pytest.raises(errors.NotFound, match='namespaces "x" not found'):
        cluster_store.create(config_map(namespace="x"))
    cluster_store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    cluster_store.delete("Namespace", "", "x")
    with pytest.raises(errors.Forbidden) as refused:
        cluster_store.create(config_map(namespace="x"))
    assert refused.value.causes[0].reason == "NamespaceTerminating"


def test_wrong_types_are_bad_requests_that_name_the_field(cluster_store, deployment):
    wrong = deployment(replicas="many")
    with pytest.raises(errors.BadRequest) as refused:
        cluster_store.create(wrong)
    assert [f.field for f in refused.value.findings] == ["spec.replicas"]


def test_missing_fields_are_told_once(cluster_store):
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "b"}}
    with pytest.raises(errors.Invalid) as refused:
        cluster_store.create(binding)
    assert [c.field for c in refused.value.causes] == ["roleRef.apiGroup", "roleRef.kind", "roleRef.name"]


def test_nulls_are_fields_that_are_not_there(cluster_store, deployment):
    sent = deployment()
    sent["spec"]["minReadySeconds"] = None
    sent["metadata"]["labels"] = {"a": None}
    made = cluster_store.create(sent)
    assert made["spec"].get("minReadySeconds") is None
    assert made["metadata"]["labels"] == {"a": ""}


def test_a_job_selects_its_own_pods(cluster_store):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "app:1"}]}}
    meta = {"name": "j", "namespace": "default"}
    made = cluster_store.create(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template}}
    )
    wanted = {"batch.kubernetes.io/controller-uid": made["metadata"]["uid"]}
    assert made["spec"]["selector"] == {"matchLabels": wanted}
    assert wanted.items() <= made["spec"]["template"]["metadata"]["labels"].items()
