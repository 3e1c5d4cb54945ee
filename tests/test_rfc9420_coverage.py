"""docs/rfc9420-coverage.md names modules and tests that exist, and all modules of the MLS core."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "secure_chat" / "mls"
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "rfc9420-coverage.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| §")
]
QUOTED = re.compile(r"`([^`]+)`")

# Not tied to a section: the package's own shape.
WITHOUT_SECTION = {"errors.py", "crypto/secret.py", "group/identity.py", "group/results.py", "group/state.py"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_row_names_what_exists(row: list[str]) -> None:
    """Each row has modules and tests, and each of them is there."""
    _, what, modules, tests = row
    assert what
    assert QUOTED.findall(modules)
    assert QUOTED.findall(tests)
    for module in QUOTED.findall(modules):
        assert (CORE / module).is_file(), f"no module {module}"
    for test in QUOTED.findall(tests):
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), f"no test file {path}"
        if name:
            functions = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}, f"no test {test}"


def test_every_module_has_a_row() -> None:
    """No module of the core is missing from the table."""
    named = {module for row in TABLE for module in QUOTED.findall(row[2])} | WITHOUT_SECTION
    modules = {path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py") if path.name != "__init__.py"}
    assert modules == named


def test_normative_chapters_are_all_there() -> None:
    """Every section of chapters 5 to 15 that has rules of its own has a row."""
    sections = {number for row in TABLE for number in re.findall(r"§([0-9.]+)", row[0])}
    wanted = (
        "5.1 5.1.1 5.1.2 5.1.3 5.2 5.3 5.3.1 5.3.2 5.3.3 6 6.1 6.2 6.3.1 6.3.2 7.1 7.2 7.3 7.4 7.5 7.6 7.7 7.8 7.9"
        " 7.9.2 8 8.1 8.2 8.3 8.4 8.5 8.6 8.7 9 9.1 9.2 10 10.1 11 11.1 11.2 11.3 12.1 12.1.1 12.1.2 12.1.3 12.1.4"
        " 12.1.5 12.1.6 12.1.7 12.1.8 12.1.8.1 12.2 12.3 12.4 12.4.1 12.4.2 12.4.3 12.4.3.1 12.4.3.2 12.4.3.3"
        " 13.1 13.2 13.3 13.4 13.5 14 15.1 15.2 15.3"
    )
    assert set(wanted.split()) <= sections
