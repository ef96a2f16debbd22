import pytest

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def five(ask):
    for i in range(5):
        ask("POST", MAPS, {"metadata": {"name": f"m{i}", "labels": {"even": str(i % 2 == 0)}}})


def names(answer):
    return [i["metadata"]["name"] for i in answer[1]["items"]]


def test_pages_are_of_one_version(ask, five):
    first = ask("GET", MAPS, query="limit=2")
    assert (names(first), first[1]["metadata"]["remainingItemCount"]) == (["m0", "m1"], 3)
    ask("DELETE", f"{MAPS}/m3")
    ask("POST", MAPS, {"metadata": {"name": "m2a"}})
    second = ask("GET", MAPS, query=f"continue={first[1]['metadata']['continue']}")
    assert names(second) == ["m2", "m3", "m4"]
    assert second[1]["metadata"]["resourceVersion"] == first[1]["metadata"]["resourceVersion"]


def test_an_exact_version_is_the_present_with_changes_undone(ask, five):
    version = ask("GET", f"{MAPS}/m2")[1]["metadata"]["resourceVersion"]
    query = f"resourceVersion={version}&resourceVersionMatch=Exact"
    assert names(ask("GET", MAPS, query=query)) == ["m0", "m1", "m2"]


def test_versions_of_the_future_and_of_no_sense(ask, five):
    assert ask("GET", MAPS, query="resourceVersion=999999")[0] == 504
    assert ask("GET", MAPS, query="resourceVersion=x")[0] == 400
    assert ask("GET", f"{MAPS}/m1", query="resourceVersion=999999")[0] == 504


@pytest.mark.parametrize("token", ["garbage", "e30", "eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6IiJ9", "%C3%A9"])
def test_continue_parameters_that_are_none(ask, token):
    assert ask("GET", MAPS, query=f"limit=1&continue={token}")[0] == 400


def test_selectors(ask, five):
    assert names(ask("GET", MAPS, query="labelSelector=even%3DFalse")) == ["m1", "m3"]
    assert names(ask("GET", MAPS, query="fieldSelector=metadata.name%3Dm4")) == ["m4"]
    assert ask("GET", MAPS, query="fieldSelector=data.a%3D1")[0] == 400
