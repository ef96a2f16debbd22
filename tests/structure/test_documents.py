"""Pages name only what is there: links, paths in backticks, make's targets (the third trap of prose: it drifts)."""

import re

import pytest

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TICKED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# A path has a slash and ends with a name that has an ending, or with a slash; it may hold * and <placeholder>.
_PATH = re.compile(r"\.?[\w<>*-]+(?:\.d)?/(?:[\w.<>*-]+/)*(?:[\w<>*.-]*\.[a-z]{1,5})?\Z|[\w-]+\.(?:md|toml|sh|txt)\Z")
_MAKE = re.compile(r"(?:`|^)make ([a-z-]+)", re.MULTILINE)
# Paths in prose are written from the root, or from the package as modules speak of each other.
_FROM = ("", "src/switchboard/")
EXCUSED: dict[str, str] = {}


def faults(repository) -> set[str]:
    found = set()
    targets = set(re.findall(r"^([a-z-]+):", repository.files.get("Makefile", ""), re.MULTILINE))
    for path, text in repository.documents.items():
        directory = path.rpartition("/")[0]
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for link in _LINK.findall(prose):
            target = link.partition("#")[0]
            if target and "://" not in target and not (repository.root / directory / target).exists():
                found.add(f"{path} links to {link}")
        for ticked in _TICKED.findall(prose):
            if _PATH.match(ticked) and not _there(repository, directory, ticked):
                found.add(f"{path} names {ticked}")
        found |= {f"{path} names make {t}" for t in _MAKE.findall(text) if t not in targets}
    return found


def _there(repository, directory: str, path: str) -> bool:
    """Whether something has this path; placeholders stand for any name, and may stand for a file yet to be."""
    if "<" in path:
        path = path[: path.index("<")].rpartition("/")[0]
    bases = (*_FROM, f"{directory}/" if directory else "")
    return any(any(repository.root.glob(f"{base}{path}".rstrip("/"))) for base in bases)


def test_pages_name_what_is_there(repository, ratchet) -> None:
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("See [this](gone.md).", "links to gone.md"),
        ("See `run/gone.py`.", "names run/gone.py"),
        ("See `gone/`.", "names gone/"),
        ("See `gone/<name>.py`.", "names gone/<name>.py"),
        ("See `run/*_gone.py`.", "names run/*_gone.py"),
        ("Run `make gone`.", "names make gone"),
        ("```sh\nmake gone  # text\n```\n", "names make gone"),
    ],
)
def test_the_rule_sees(planted, text: str, fault: str) -> None:
    tree = planted({"docs/a.md": text, "src/switchboard/run/home.py": "", "Makefile": "test: lint\n"})
    assert faults(tree) == {f"docs/a.md {fault}"}


@pytest.mark.parametrize(
    "text",
    ["[a](b.md) [c](https://a.test/d) [e](#f)", "`run/home.py` `src/` `run/*.py` `run/<name>.py` `make test`",
     "`spec.ports[0]` `a/b` `10.0.0.0/8` `kubernetes.io/hostname` `kubernetes.io/`", "```\n`run/gone.py`\n```\n"],
)  # fmt: skip
def test_the_rule_leaves_alone(planted, text: str) -> None:
    tree = {"docs/a.md": text, "docs/b.md": "", "src/switchboard/run/home.py": "", "Makefile": "test: lint\n"}
    assert not faults(planted(tree))


def test_decisions_have_their_parts(repository) -> None:
    pages = {p: t for p, t in repository.documents.items() if p.startswith("docs/decisions/")}
    assert pages
    numbers = []
    for path, text in pages.items():
        name = re.fullmatch(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md", path)
        assert name, f"{path} is not named 0000-title.md"
        numbers.append(int(name[1]))
        assert text.startswith(f"# {name[1]} "), f"{path} does not begin with its number"
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Status", "Context", "Decision", "Consequences"], path
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
