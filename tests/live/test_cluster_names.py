"""Names in the running cluster, asked as programs in pods ask: through their own resolv.conf and the DNS Service."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def pod(cluster):
    """Runs a program in a pod of the payment example."""
    name = next(name for name in cluster.table("Pods") if name.startswith("payments/app-v1"))

    def run(*arguments: str, code: int | None = 0) -> str:
        return cluster.inside(name, *arguments, code=code).stdout

    return run


def test_the_resolver_is_the_clusters(pod) -> None:
    lines = pod("cat", "/etc/resolv.conf").splitlines()
    assert "nameserver 10.96.0.10" in lines
    assert "search payments.svc.cluster.local svc.cluster.local cluster.local" in lines
    assert any(line.startswith("options") and "ndots:5" in line for line in lines)


@pytest.mark.parametrize("name", ["app-v1", "app-v1.payments", "app-v1.payments.svc.cluster.local"])
def test_a_service_is_found_by_all_its_names(pod, cluster, name) -> None:
    assert pod("getent", "ahostsv4", name).split()[0] == cluster.table("Services")["payments/app-v1"]["inside"]


def test_a_headless_service_is_the_addresses_of_its_pods(pod, cluster) -> None:
    pods = {row["address"] for name, row in cluster.table("Pods").items() if name.startswith("payments/app-v")}
    assert {line.split()[0] for line in pod("getent", "ahostsv4", "app-peers").splitlines()} == pods


def test_what_is_not_there_is_not_found(pod) -> None:
    pod("getent", "hosts", "nobody.payments.svc.cluster.local", code=2)


def test_a_name_leads_to_the_service(pod) -> None:
    assert '"pod":"app-v2' in pod("curl", "-sS", "--max-time", "10", "http://app-v2/")
