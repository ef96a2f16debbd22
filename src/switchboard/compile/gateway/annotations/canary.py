"""``canary``: marks an Ingress as the canary of another one with the same host, path and pathType.

The view acts on it (``view.route.Canary``).
"""

from switchboard.compile.gateway.draft import Annotation, Example

ANNOTATION = Annotation(
    name="canary",
    summary="A part of the requests of the main Ingress goes to this one's backend; alone it selects nobody.",
    examples=(
        Example(canary={"canary": "true"}),
        Example(canary={"canary": "true", "canary-weight": "100"}, backend="canary"),
        Example(canary={"canary": "true", "canary-weight": "100", "app-root": "/start"}, backend="canary"),
    ),
)
