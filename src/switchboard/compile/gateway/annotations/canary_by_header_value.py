"""``canary-by-header-value``: this value of the header selects the canary; always and never lose their meaning.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-by-header-value",
    summary="Only this value of the canary-by-header header selects the canary.",
    examples=(
        Example(
            canary={"canary": "true", "canary-by-header": "X-C", "canary-by-header-value": "blue"},
            headers={"X-C": "blue"},
            backend="canary",
        ),
        Example(
            canary={"canary": "true", "canary-by-header": "X-C", "canary-by-header-value": "blue"},
            headers={"X-C": "always"},
        ),
        Example(
            canary={
                "canary": "true",
                "canary-by-header": "X-C",
                "canary-by-header-value": "blue",
                "canary-weight": "100",
            },
            headers={"X-C": "never"},
            backend="canary",
        ),
        Example(canary={"canary": "true", "canary-by-header-value": "blue"}, headers={"X-C": "blue"}),
    ),
)
