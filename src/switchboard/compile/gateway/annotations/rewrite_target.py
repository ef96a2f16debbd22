"""``rewrite-target``: what the pods see as the path; the paths of the host become regular expressions."""

import msgspec

from switchboard.compile.gateway.draft import Annotation, Draft, Example, Refused


def _edit(draft: Draft, value: str) -> Draft | Refused:
    if not value.startswith("/"):
        return Refused(f"{value!r} is no absolute path", "Begin the target with /.", drop=True)
    return msgspec.structs.replace(draft, rewrite=value)


_ANY = "ImplementationSpecific"

ANNOTATION = Annotation(
    name="rewrite-target",
    summary="The path is replaced by this, with $1 to $9 for the groups of the rule's regular expression.",
    edit=_edit,
    examples=(
        Example(main={"rewrite-target": "/"}, path_rule="/app", path_type=_ANY, path="/app/x/y", seen_path="/"),
        Example(main={"rewrite-target": "/$2"}, path_rule="/a(/|$)(.*)", path_type=_ANY, path="/a/x?p=2",
                seen_path="/x?p=2"),
        Example(main={"rewrite-target": "/$2"}, path_rule="/a(/|$)(.*)", path_type=_ANY, path="/a", seen_path="/"),
        Example(main={"rewrite-target": "/$1"}, path_rule="/App/(.*)", path_type=_ANY, path="/APP/Xy",
                seen_path="/Xy"),
        Example(main={"rewrite-target": "/new"}, path_rule="/app", path="/apple", seen_path="/new"),
        Example(main={"rewrite-target": ""}, path="/a", seen_path="/a"),
    ),
)  # fmt: skip
