"""Whether RE2, the engine of Envoy, takes a regular expression that was written for PCRE.

In: a pattern.  Out: an empty string, or what RE2 does not know.  Called by ``compile.gateway.entries``.
One pattern that RE2 refuses makes Envoy refuse the routes of *all* hosts, so this reads a pattern as a list of
what is known in both languages and refuses everything else.
Specification: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

_MAX_REPEAT = 1000
_MAX_LENGTH = 2000
_TOKEN = re.compile(
    r"""
      (?P<escape>\\(?:[dDwWsSbBA]|[^0-9A-Za-z]|[ntrfv]|x[0-9A-Fa-f]{2}))
    | (?P<set>\[\^?\]?(?:\\(?:[dDwWsS]|[^0-9A-Za-z]|[ntrfv]|x[0-9A-Fa-f]{2})|[^\]\[\\])*\])
    | (?P<group>\((?:\?(?:[ims]*(?:-[ims]+)?:|P<[A-Za-z_][A-Za-z0-9_]*>|[ims]+\))|(?!\?)))
    | (?P<repeat>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??(?![*+?]))
    | (?P<plain>[^\\\[(*+?{])
    """,
    re.VERBOSE,
)


def problem(pattern: str) -> str:
    """Empty when both PCRE and RE2 take the pattern, otherwise one clause that says what stands against it."""
    if len(pattern) > _MAX_LENGTH:
        return f"it is longer than {_MAX_LENGTH} characters"
    position, repeats = 0, 1
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            return f"RE2 does not know {pattern[position : position + 4]!r} at character {position + 1}"
        if token["repeat"] and token["repeat"].startswith("{"):
            # RE2 unrolls counted repetitions, nested ones multiply; counting all of them as nested is on the safe side.
            repeats *= max(1, *(int(n) for n in re.findall(r"[0-9]{1,9}", token["repeat"])))
        position = token.end()
    if repeats > _MAX_REPEAT:
        return f"its counted repetitions multiply to {repeats}, more than {_MAX_REPEAT}"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"it does not compile ({error})"
    return ""


def quote(text: str) -> str:
    """A literal as a pattern: everything but letters, digits and ``_`` escaped, as both languages allow."""
    return re.sub(r"([^0-9A-Za-z_])", r"\\\1", text)
