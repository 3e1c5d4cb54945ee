"""Every line of the threat model names the tests that show it, and they exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from secure_chat.client.events import SecurityKind

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "threat-model.md"
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ADVERSARIES = (
    "The relay's operator",
    "Somebody on the network",
    "an invite link",
    "A malicious member",
    "A stolen device",
    "The recovery code",
    "A future quantum computer",
    "The person's own computer",
)


def rows() -> list[str]:
    """The rows of all tables, without their heads."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    after_head = {number + 1 for number, line in enumerate(lines) if set(line) <= {"|", "-"} and line}
    heads = {number - 2 for number in after_head}
    return [
        line
        for number, line in enumerate(lines)
        if line.startswith("|") and number not in heads and number + 1 not in after_head
    ]


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.strip("| ").partition(" |")[0][:60])
def test_a_row_names_tests_that_exist(row: str) -> None:
    """In its last cell, and nothing else there."""
    cell = row.rstrip("| ").rpartition("|")[2].strip()
    references = REFERENCE.findall(cell)
    assert references, f"no test is named: {row}"
    assert not REFERENCE.sub("", cell).strip(", "), f"more than tests: {cell}"
    for path, name in references:
        assert (ROOT / path).is_file(), path
        assert name in names_in(path), f"{path} has no {name}"


def test_there_are_rows_for_every_adversary() -> None:
    """Each has a section with a table of its own."""
    sections = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]
    for adversary in ADVERSARIES:
        section = next((text for text in sections if adversary in text.partition("\n")[0]), "")
        assert "|---" in section, adversary
    assert len(rows()) > 80


def test_everything_that_can_be_noticed_has_its_place() -> None:
    """Each kind of notice that a front end may get stands in a table."""
    text = "\n".join(rows())
    missing = [kind.value for kind in SecurityKind if f"`{kind.value}`" not in text]
    assert not missing


def test_every_module_about_an_adversary_is_named() -> None:
    """Whatever has tests in tests/adversary has lines in the threat model."""
    named = {path for path, _ in REFERENCE.findall(DOCUMENT.read_text(encoding="utf-8"))}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "adversary").glob("test_*.py")}
    assert modules <= named


def test_the_readme_leads_here() -> None:
    """From its section about security."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Security")[2].partition("\n## ")[0]
    assert "](docs/threat-model.md)" in section
