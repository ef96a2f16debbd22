"""Writes src/switchboard/k8s/protobuf.json: the fields of Kubernetes' types in their binary form.

``protobuf_fields.py API META``: the directories of k8s.io/api and k8s.io/apimachinery (a module download, or what
``git archive`` gives).  Run it again for a new version of Kubernetes; nothing in the file is written by hand.

Of each struct tag it takes what decoding needs: number, JSON name, type, and whether a zero is told from nothing.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src" / "switchboard" / "k8s" / "protobuf.json"
GROUPS = (
    "core", "apps", "batch", "autoscaling", "policy", "networking", "rbac", "coordination", "discovery", "events",
    "storage", "scheduling", "authentication", "authorization", "admissionregistration",
)  # fmt: skip
VERSIONS = {"autoscaling": ("v1", "v2")}
_STRUCT = re.compile(r"^type (\w+) struct \{$")
_ALIAS = re.compile(r"^type (\w+) (?!struct|interface)(\S+)$")
_FIELD = re.compile(r'^\s+(?:(\w+)\s+)?([\w.*\[\]]+)\s+`json:"([^"]*)"(?:[^`]*?)protobuf:"([^"]*)"')
_SCALARS = {"string": "s", "bool": "b", "int32": "i", "int64": "i", "int": "i", "uint32": "i", "float64": "f"}
_PACKAGES = {
    "metav1": "meta.v1", "v1": "core.v1", "corev1": "core.v1", "resource": "resource", "intstr": "intstr",
    "runtime": "runtime", "types": "types", "authenticationv1": "authentication.v1", "api": "core.v1",
}  # fmt: skip


def main() -> None:
    """Reads both directories and writes the table."""
    api, meta = Path(sys.argv[1]), Path(sys.argv[2])
    files = {"meta.v1": meta / "pkg/apis/meta/v1/types.go"}
    for group in GROUPS:
        for version in VERSIONS.get(group, ("v1",)):
            files[f"{group}.{version}"] = api / group / version / "types.go"
    aliases: dict[str, str] = {}
    found: dict[str, list[list[object]]] = {}
    for package, path in files.items():
        for line in path.read_text().splitlines():
            if alias := _ALIAS.match(line):
                aliases[f"{package}.{alias[1]}"] = alias[2]
    for package, path in files.items():
        read(package, path.read_text(), aliases, found)
    TARGET.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True).replace("]],", "]],\n") + "\n")


def read(package: str, text: str, aliases: dict[str, str], found: dict[str, list[list[object]]]) -> None:
    """Adds the structs of one file: number, JSON name, type, flags (p pointer, o omitted when empty)."""
    name = ""
    for line in text.splitlines():
        if struct := _STRUCT.match(line):
            name = struct[1]
            found[f"{package}.{name}"] = []
        elif line == "}":
            name = ""
        elif name and (field := _FIELD.match(line)):
            go, tag, proto = field[2], field[3], field[4].split(",")
            json_name, *options = tag.split(",")
            flags = "p" * go.startswith("*") + "o" * ("omitempty" in options)
            type_ = shape(package, go.lstrip("*"), aliases)
            found[f"{package}.{name}"].append([int(proto[1]), json_name, type_, flags])


def shape(package: str, go: str, aliases: dict[str, str]) -> str:
    """A type: ``s`` text, ``b`` boolean, ``i`` number, ``f`` fraction, ``y`` bytes, ``[`` list, ``{`` map, a message.

    ``?`` is unknown.
    """
    if go == "[]byte":
        return "y"
    if go.startswith("[]"):
        return "[" + shape(package, go[2:].lstrip("*"), aliases)
    if go.startswith("map["):
        return "{" + shape(package, go.partition("]")[2].lstrip("*"), aliases)
    if go in _SCALARS:
        return _SCALARS[go]
    prefix, _, name = go.rpartition(".")
    home = _PACKAGES.get(prefix) if prefix else package
    if home is None:
        return "?"  # a type of a group that is not served
    if home == "types":
        return "s"
    full = f"{home}.{name}"
    # Named lists are messages of their own in the binary form.
    if full in aliases and not aliases[full].startswith("[]"):
        return shape(home, aliases[full], aliases)
    return full


if __name__ == "__main__":
    main()
