"""``canary-by-header-pattern``: a header that matches this regular expression selects the canary.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-by-header-pattern",
    summary="A match anywhere in the canary-by-header header selects the canary; a value set beside it wins.",
    examples=(
        Example(
            canary={"canary": "true", "canary-by-header": "X-U", "canary-by-header-pattern": "^v2"},
            headers={"X-U": "v2.1"},
            backend="canary",
        ),
        Example(
            canary={"canary": "true", "canary-by-header": "X-U", "canary-by-header-pattern": "^v2"},
            headers={"X-U": "always"},
        ),
        Example(
            canary={"canary": "true", "canary-by-header": "X-U", "canary-by-header-pattern": "beta"},
            headers={"X-U": "a beta user"},
            backend="canary",
        ),
        Example(
            canary={
                "canary": "true",
                "canary-by-header": "X-U",
                "canary-by-header-pattern": "[(*",
                "canary-weight": "100",
            },
            headers={"X-U": "v1"},
        ),
    ),
)
