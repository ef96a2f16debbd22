"""``use-regex``: the paths of the host are regular expressions; the view acts on it (``PathMatch.REGEX``)."""

from switchboard.compile.gateway.draft import Annotation, Example

_ON = {"use-regex": "true"}

ANNOTATION = Annotation(
    name="use-regex",
    summary="All paths of the host are regular expressions, anchored at the beginning, without case.",
    examples=(
        Example(main=_ON, path_rule="/v[0-9]+/(.*)", path_type="ImplementationSpecific", path="/V12/x?y=z",
                seen_path="/V12/x?y=z"),
        Example(main=_ON, path_rule="/v[0-9]+/(.*)", path_type="ImplementationSpecific", path="/vx/y", status=404,
                backend=""),
        Example(main={"use-regex": "false"}, path_rule="/v.1", path="/vx1", status=404, backend=""),
        Example(main=_ON, path_rule="/(?=x)", path_type="ImplementationSpecific", path="/x", status=404, backend=""),
    ),
)  # fmt: skip
