"""``canary-by-header``: always and never in this header decide.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-by-header",
    summary="The header's value always selects the canary, never the main backend, anything else decides nothing.",
    examples=(
        Example(canary={"canary": "true", "canary-by-header": "X-Canary"}),
        Example(
            canary={"canary": "true", "canary-by-header": "X-Canary"}, headers={"x-canary": "always"}, backend="canary"
        ),
        Example(
            canary={"canary": "true", "canary-by-header": "X-Canary", "canary-weight": "100"},
            headers={"X-Canary": "never"},
        ),
        Example(canary={"canary": "true", "canary-by-header": "X-Canary"}, headers={"X-Canary": "Always"}),
    ),
)
