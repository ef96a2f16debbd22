"""``canary-weight-total``: what canary-weight is a share of, above 100.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-weight-total",
    summary="The whole that canary-weight is a part of; 100 or less is ignored.",
    examples=(
        Example(canary={"canary": "true", "canary-weight": "1000", "canary-weight-total": "1000"}, backend="canary"),
        Example(canary={"canary": "true", "canary-weight": "0", "canary-weight-total": "1000"}),
        Example(canary={"canary": "true", "canary-weight-total": "500"}),
    ),
)
