"""``canary-by-cookie``: always and never in this cookie decide, after the header.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-by-cookie",
    summary="The cookie's value always selects the canary, never the main backend, anything else decides nothing.",
    examples=(
        Example(
            canary={"canary": "true", "canary-by-cookie": "stage"},
            headers={"cookie": "a=b; theme=dark; stage=always"},
            backend="canary",
        ),
        Example(canary={"canary": "true", "canary-by-cookie": "stage"}, headers={"cookie": "backstage=always"}),
        Example(
            canary={"canary": "true", "canary-by-cookie": "stage", "canary-weight": "100"},
            headers={"cookie": "stage=never"},
        ),
        Example(
            canary={"canary": "true", "canary-by-cookie": "stage", "canary-by-header": "X-C"},
            headers={"cookie": "stage=always", "X-C": "never"},
        ),
    ),
)
