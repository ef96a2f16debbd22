"""The name that somebody probably meant.

In: a misspelt word and the right ones.  Out: the nearest of them or nothing.
Called by ``k8s.schemas`` and whoever answers to names people type.
"""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate with the fewest edits, empty when even that one differs in more than a third of the word."""
    ranked = sorted((distance(word.lower(), c.lower()), c) for c in candidates)
    return ranked[0][1] if ranked and ranked[0][0] <= max(1, len(word) // 3) else ""


def distance(left: str, right: str) -> int:
    """Edits (insert, delete, replace, swap of neighbours) that turn one word into the other."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
