from switchboard.k8s.nearest import distance, nearest


def test_distance_counts_edits():
    assert distance("", "abc") == 3
    assert distance("port", "prot") == 1
    assert distance("kitten", "sitting") == 3
    assert distance("same", "same") == 0


def test_nearest_is_near():
    assert nearest("targetport", ["targetPort", "port"]) == "targetPort"
    assert nearest("selectors", ["selector", "ports"]) == "selector"
    assert nearest("entirelyDifferent", ["port"]) == ""
    assert nearest("x", []) == ""
