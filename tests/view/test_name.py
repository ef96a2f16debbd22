from switchboard.view.name import NamedService, Names


def test_a_service_is_keyed_by_namespace_and_name():
    assert NamedService(namespace="shop", name="web").key == "shop/web"


def test_a_cluster_may_have_no_names():
    assert Names() == Names(services=(), namespaces=(), pods=())
