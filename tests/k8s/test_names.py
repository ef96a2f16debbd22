from switchboard.k8s import names


def test_constants_are_unique_within_labels_and_annotations():
    values = [v for k, v in vars(names).items() if k.isupper() and isinstance(v, str) and "/" in v]
    assert len(values) == len(set(values))


def test_prefixes_end_with_a_slash():
    assert all(v.endswith("/") for k, v in vars(names).items() if k.endswith("_PREFIX"))
