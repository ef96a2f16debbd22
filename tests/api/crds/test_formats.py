import pytest

from switchboard.api.crds import formats


@pytest.mark.parametrize(
    ("format_", "right", "wrong"),
    [
        ("date-time", "2020-01-02T03:04:05Z", "2020-01-02"),
        ("date-time", "2020-01-02T03:04:05.123+01:00", "2020-13-02T03:04:05Z"),
        ("date", "2020-02-29", "2021-02-29"),
        ("duration", "1h30m", "1 fortnight"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "::1", "1.2.3.4"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "00:11:22:33:44:55", "00:11"),
        ("uri", "https://e.com/a", "no uri"),
        ("hostname", "a.e.com", "-a"),
        ("email", "a@e.com", "a"),
        ("uuid4", "0f9e8d7c-1234-4abc-8def-0123456789ab", "0f9e8d7c-1234-1abc-8def-0123456789ab"),
        ("byte", "aGk=", "a"),
        ("isbn10", "0-306-40615-2", "0-306-40615-3"),
        ("isbn13", "978-0-306-40615-7", "978-0-306-40615-8"),
        ("hexcolor", "#ff0000", "red"),
    ],
)
def test_formats(format_, right, wrong):
    assert formats.fits(format_, right)
    assert not formats.fits(format_, wrong)
    assert formats.fits("of-our-own", wrong)


def test_numbers_have_ranges():
    assert formats.fits_number("int32", 2**31 - 1)
    assert not formats.fits_number("int32", 2**31)
    assert formats.fits_number("double", 2**31)


def test_patterns_are_those_of_re2():
    assert formats.matches("^[[:alpha:]]+$", "abc")
    assert not formats.matches("^[a-z]+$", "AB")
    assert formats.matches('b"c', 'ab"cd'), "a pattern is found anywhere, quotes do no harm"
    assert not formats.matches("(", "(")
    assert formats.pattern_fault("(")
    assert formats.pattern_fault("(?=a)"), "lookahead is not regular"
    assert formats.pattern_fault("^[a-z]+$") == ""


def test_a_hostile_text_costs_no_more_than_its_length():
    assert not formats.matches("^(a+)+$", "a" * 10_000 + "b")
