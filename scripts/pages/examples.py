"""The examples, with the objects that each holds."""

from pathlib import Path

import yaml
from pages._table import table

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_TEXT = """\
# Examples

{sections}"""


def page() -> str:
    """One section for each directory, one row for each file of objects."""
    return _TEXT.format(sections="\n".join(_section(path) for path in sorted(_EXAMPLES.iterdir()) if path.is_dir()))


def _section(directory: Path) -> str:
    rows = [(f"`{path.name}`", _objects(path)) for path in sorted(directory.glob("*.yaml"))]
    files = table(("file", "objects"), rows)
    return f"## examples/{directory.name}\n\n[About it](../../examples/{directory.name}/README.md).\n\n{files}"


def _objects(path: Path) -> str:
    documents = [d for d in yaml.safe_load_all(path.read_text(encoding="utf-8")) if isinstance(d, dict)]
    return ", ".join(f"{d.get('kind')} {(d.get('metadata') or {}).get('name', '')}".strip() for d in documents)
