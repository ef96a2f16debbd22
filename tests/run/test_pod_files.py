from switchboard.compile.resolver import Resolver
from switchboard.run.pod_files import mounts, pod_files, remove, write

HOST = Resolver(servers=("192.0.2.1",))


def files(**spec):
    pod = {"metadata": {"namespace": "shop", "name": "db-0"}, "spec": spec}
    return pod_files(pod, "10.1.0.1", "10.96.0.10", "cluster.local", HOST)


def test_a_pod_asks_the_cluster_with_its_own_namespace_first():
    found = files()
    assert found.resolver.text() == (
        "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
    )
    assert found.host_name == "db-0"
    assert found.hosts.endswith("10.1.0.1\tdb-0\n")


def test_host_name_and_subdomain_make_the_full_name():
    found = files(hostname="zero", subdomain="db")
    assert "10.1.0.1\tzero.db.shop.svc.cluster.local\tzero\n" in found.hosts
    assert found.host_name == "zero"
    full = files(hostname="zero", subdomain="db", setHostnameAsFQDN=True)
    assert full.host_name == "zero.db.shop.svc.cluster.local"


def test_own_settings_and_aliases():
    config = {"nameservers": ["192.0.2.9"], "searches": ["corp"], "options": [{"name": "ndots", "value": "2"}]}
    aliases = [{"ip": "192.0.2.7", "hostnames": ["x", "y"]}]
    found = files(dnsPolicy="None", dnsConfig=config, hostAliases=aliases)
    assert found.resolver.text() == "search corp\nnameserver 192.0.2.9\noptions ndots:2\n"
    assert found.hosts.endswith("192.0.2.7\tx\ty\n")
    assert files(dnsPolicy="Default").resolver == HOST


def test_fields_of_wrong_types_are_passed_over():
    assert files(dnsConfig=[], hostAliases={"a": 1}, hostname=7, subdomain=None).host_name == "db-0"


def test_files_are_written_and_forgotten(tmp_path):
    write(tmp_path, "shop/db-0", files())
    for target, source in mounts(tmp_path, "shop/db-0").items():
        assert source.read_text()
        assert str(target).startswith("/etc/")
    remove(tmp_path, "shop/db-0")
    assert not any(source.exists() for source in mounts(tmp_path, "shop/db-0").values())
