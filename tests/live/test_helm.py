"""A real helm against the embedded cluster: a chart of our own is installed, upgraded, rolled back and removed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

HELM = str(Path(sys.executable).with_name("helm"))
CHART = str(Path(__file__).parents[1] / "charts" / "shop")


@pytest.fixture(scope="module")
def helm(cluster):
    directory = cluster.host.directory / "helm"
    homes = {f"HELM_{home}_HOME": str(directory / home.lower()) for home in ("CACHE", "CONFIG", "DATA")}
    kubeconfig = str(cluster.host.runtime / cluster.name / "kubeconfig")

    def run(*arguments: str, **how):
        environment = {**homes, "KUBECONFIG": kubeconfig}
        return cluster.host.run(HELM, *arguments, environment=environment, **how).stdout

    return run


def history(helm) -> list[tuple[int, str]]:
    return [(each["revision"], each["status"]) for each in json.loads(helm("history", "s1", "-o", "json"))]


def images(cluster) -> set[str]:
    return {row["images"] for name, row in cluster.table("Pods").items() if name.startswith("default/s1-web")}


def test_a_chart_lives_its_life(helm, cluster) -> None:
    wait = ("--wait", "--timeout", "30s")
    assert "STATUS: deployed" in helm("install", "s1", CHART, *wait)
    assert images(cluster) == {"shop:1"}
    helm("upgrade", "s1", CHART, "--set", "version=2,replicas=3", *wait)
    assert images(cluster) == {"shop:2"}
    assert history(helm) == [(1, "superseded"), (2, "deployed")]
    helm("rollback", "s1", "1", *wait)
    assert images(cluster) == {"shop:1"}
    assert history(helm)[-1] == (3, "deployed")
    answer = cluster.inside(
        "client-1", "curl", "-sS", "--retry", "5", "--resolve", f"s1.test:80:{address(cluster)}", "http://s1.test/"
    )
    assert json.loads(answer.stdout)["service"] == "default/s1-web"
    assert 'release "s1" uninstalled' in helm("uninstall", "s1", *wait)
    assert json.loads(helm("list", "-A", "-o", "json")) == []


def test_a_chart_with_a_fault_is_refused_and_leaves_nothing(helm, cluster) -> None:
    failed = cluster.host.run(
        HELM, "install", "broken", CHART, "--set", "replicas=-1",
        environment={"KUBECONFIG": str(cluster.host.runtime / cluster.name / "kubeconfig")}, code=1,
    )  # fmt: skip
    assert "spec.replicas" in failed.stderr
    helm("uninstall", "broken", "--ignore-not-found", "--wait")
    assert not any(name.startswith("default/broken") for name in cluster.table("Pods"))


def address(cluster) -> str:
    """Where the gateway is."""
    return cluster.table("Services")["switchboard-system/gateway"]["outside"]
