"""The documents' links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
NAMED = re.compile(r"`((?:bench|contrib|docs|examples|scripts|secure_chat|tests)/[\w./-]*\w)(::(\w+))?")
"""A path in code marks, and the test in it."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(document: Path) -> set[str]:
    """The anchors that a Markdown reader makes of a document's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file of the project, and every anchor a heading in it."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in LINK.findall(text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{document.name}: {target} is not there"
        assert not anchor or anchor in anchors(path), f"{document.name}: {target}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_tests_that_are_named_are_there(document: Path) -> None:
    """By their paths from the project's root, and `FILE::TEST`."""
    for name, _, test in NAMED.findall(document.read_text()):
        assert (ROOT / name).exists(), f"{document.name}: {name} is not there"
        assert not test or f"def {test}(" in (ROOT / name).read_text(), f"{document.name}: {name} has no {test}"


def test_the_readme_names_the_two_commands() -> None:
    """A newcomer finds them, and the scripts are where it says."""
    text = (ROOT / "README.md").read_text()
    for script in ("scripts/start.py", "scripts/test.py"):
        assert f"python3 {script}" in text
        assert (ROOT / script).is_file()
