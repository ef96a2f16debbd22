import pytest

from switchboard.k8s.validation import formats


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (formats.dns_label, ["a", "1a", "a-b", "a" * 63], ["", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "ä", "a\n"]),
        (formats.dns_subdomain, ["a", "a.b", "1.2"], ["", "a..b", ".a", "A.b", "a" * 254, "a.b\n"]),
        (formats.wildcard_subdomain, ["*.a", "*.a.b"], ["*", "*a.b", "a.*.b", "*.*.a", "*."]),
        (formats.path_segment, ["a", "A:b", "a.b"], [".", "..", "a/b", "a%b"]),
        (formats.qualified_name, ["a", "A_b.c", "x.y/A"], ["", "/a", "a/", "a/b/c", "X.y/a", "a b", "-a", "a" * 64]),
        (formats.label_value, ["", "a", "v1.6.0-rc1", "a" * 63], ["-", "a-", "a b", "a" * 64, "a\n"]),
        (formats.port_name, ["a", "http", "a-1", "a" * 15], ["", "80", "a--b", "-a", "a-", "A", "a_b", "a" * 16]),
        (formats.percent, ["0%", "100%"], ["5", "%", "-1%", "1.5%"]),
        (formats.environment_name, ["A", "a.b", "A B"], ["", "A=B", "ä", "a\n"]),
    ],
)
def test_forms(check, right, wrong):
    assert [text for text in right if check(text)] == []
    assert [text for text in wrong if not check(text)] == []


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "2001:DB8::1"])
def test_addresses(text):
    parsed, problems = formats.address(text)
    assert parsed is not None
    assert problems == []


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("10.0.0", False),
        ("", False),
        ("a", False),
        ("10.0.0.1/8", False),
        ("fe80::1%eth0", False),
        ("10.0.0.010", True),
        ("10.0.0.0256", False),
        ("::ffff:10.0.0.1", True),
    ],
)
def test_addresses_that_are_refused_and_those_a_stored_object_may_keep(text, readable):
    parsed, problems = formats.address(text)
    assert problems
    assert (parsed is not None) == readable


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::/0", "::/0"),
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("10.0.0.0/08", "10.0.0.0/8"),
        ("10.0.00.0/8", "10.0.0.0/8"),
        ("10.0.0.0/33", None),
        ("10.0.0.0/255.0.0.0", None),
        ("10.0.0.0", None),
        ("10.0.0.0/", None),
        ("10.0.0.0/-1", None),
        ("/8", None),
    ],
)
def test_ranges(text, network):
    parsed, problems = formats.cidr(text)
    assert (str(parsed) if parsed else None) == network
    assert (problems == []) == (text == network)
