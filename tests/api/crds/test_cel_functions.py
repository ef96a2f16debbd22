import pytest

from switchboard.api.crds import cel_functions, rules


def evaluate(text):
    return rules.compiled(text, "dyn", False).eval(data={"self": 1, "oldSelf": 1, "had": False}).plain_value()


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 2].isSorted() && ![2, 1].isSorted()",
        "[1, 2].sum() == 3 && [1.5, 2.0].sum() == 3.5 && [].sum() == 0",
        "[3, 1].min() == 1 && [3, 1].max() == 3",
        "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1",
        "sets.contains([1, 2], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])",
        "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]') == ''",
        "'1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('50m').isLessThan(quantity('1'))",
        "quantity('1Ki').compareTo(quantity('1024')) == 0 && quantity('1e3').asInteger() == 1000",
        "quantity('1').add(quantity('500m')).asApproximateFloat() == 1.5 && quantity('-1').sign() == -1",
        "quantity('3').sub(1).asInteger() == 2 && !quantity('50m').isInteger() && !isQuantity('1Xi')",
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
        "semver('1.0.0-rc.2').isLessThan(semver('1.0.0-rc.10')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
        "!isSemver('1.2') && isSemver('1.2.3+b')",
        "url('https://a.b:8/x?y=1&y=2').getScheme() == 'https' && url('https://a.b:8/x').getHost() == 'a.b:8'",
        "url('https://[::1]:8/x').getHostname() == '::1' && url('https://a:8/').getPort() == '8'",
        "url('/x%20y').getEscapedPath() == '/x%20y' && url('/?y=1&y=2').getQuery()['y'] == ['1', '2']",
        "isURL('https://a') && !isURL('../a')",
        "ip('10.1.2.3').family() == 4 && ip('::1').isLoopback() && ip('fe80::1').isLinkLocalUnicast()",
        "ip('0.0.0.0').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast() && ip('10.0.0.1').isGlobalUnicast()",
        "isIP('1.2.3.4') && !isIP('1.2.3') && ip.isCanonical('::1') && !ip.isCanonical('::0:1')",
        "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && !cidr('10.0.0.0/8').containsIP('11.0.0.1')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.0.0.0/8').containsCIDR('::/0')",
        "cidr('10.1.2.3/8').prefixLength() == 8 && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && isCIDR('::/0') && !isCIDR('10.0.0.1')",
        "format.dns1123Label().validate('a-b') == null && format.dns1123Label().validate('A') != null",
        "format.named('uuid').validate('x') != null",
        "'a-b'.replace('-', '_') == 'a_b' && 'a,b'.split(',').join('+') == 'a+b' && '%d'.format([3]) == '3'",
        "math.greatest(1, 2) == 2 && base64.encode(b'hi') == 'aGk=' && optional.of(1).orValue(2) == 1",
    ],
)
def test_functions(text):
    assert evaluate(text) is True


@pytest.mark.parametrize("text", ["quantity('x')", "quantity('1.5').asInteger()", "[].min()", "ip('x')", "url('x y')"])
def test_wrong_values_are_errors_of_the_expression(text):
    data = {"self": 1, "oldSelf": 1, "had": False}
    assert rules.compiled(text, "dyn", False).eval(data=data).type().name() == "ERROR"


def test_durations():
    assert cel_functions.seconds("1h30m") == 5400
    assert cel_functions.seconds("-500ms") == -0.5
    with pytest.raises(ValueError, match="no duration"):
        cel_functions.seconds("1 fortnight")
