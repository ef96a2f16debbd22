"""``canary-weight``: so many of canary-weight-total requests go to the canary.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary-weight",
    summary="This share of the requests that nothing else decided goes to the canary; no whole number means 0.",
    examples=(
        Example(canary={"canary": "true", "canary-weight": "0"}),
        Example(canary={"canary": "true", "canary-weight": "100"}, backend="canary"),
        Example(canary={"canary": "true", "canary-weight": "100%"}),
        Example(canary={"canary": "true", "canary-weight": "300"}, backend="canary"),
    ),
)
