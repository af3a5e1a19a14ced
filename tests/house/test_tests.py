"""The tests' own rules: no test imports another, each folder is that of a package, and what the pages name is there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from tests.support.texts import says

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
BESIDE_THE_PACKAGES = {"house", "kept", "support"}


def imported(program: str) -> set[str]:
    """Modules that a program imports, and names from them that may be modules."""
    found = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            found |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return found


def from_other_tests(program: str) -> set[str]:
    """What a program imports of the tests beside their support."""
    parts = {name: name.split(".") for name in imported(program)}
    return {
        name
        for name, path in parts.items()
        if path[0] == "" or (path[0] == "tests" and path[1:2] not in ([], ["support"])) or path[0] == "conftest"
    }


@pytest.mark.parametrize(
    "line",
    ["from tests.store.test_store import numbers", "from tests.store import test_store",
     "import tests.store.test_store", "from tests import store", "from .test_store import numbers",
     "from . import test_store", "from conftest import TINY"],
)  # fmt: skip
def test_an_import_of_another_test_is_seen(line: str) -> None:
    assert from_other_tests(f"def late() -> None:\n    {line}\n")
    assert not from_other_tests("from tests.support.stores import numbers\nfrom tests.support import pinned\n")


def test_no_test_imports_another() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert Path(__file__) in files
    assert {str(path): found for path in files if (found := from_other_tests(path.read_text()))} == {}


def private_imports(program: str) -> list[tuple[str, str, str]]:
    """(package, private module, name) of what a program imports from private modules."""
    nodes = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.ImportFrom) and node.module]
    return [
        (package, str(node.module), alias.name)
        for node in nodes
        if (node.module or "").startswith("sweepengine.")
        for package, private, _ in [(node.module or "").partition("._")]
        if private
        for alias in node.names
    ]


def is_public(package: str, module: str, name: str) -> bool:
    """Whether a package offers the very thing that one of its private modules has."""
    missing = object()
    found = getattr(importlib.import_module(package), name, missing)
    return found is not missing and found is getattr(importlib.import_module(module), name)


def test_tests_take_the_public_door_where_there_is_one() -> None:
    assert private_imports("from sweepengine.store._marks import Mark") == [
        ("sweepengine.store", "sweepengine.store._marks", "Mark")
    ]
    assert is_public("sweepengine.store", "sweepengine.store._marks", "Mark")
    assert not is_public("sweepengine.store", "sweepengine.store._marks", "write_mark")
    programs = sorted(each for each in TESTS.rglob("*.py") if "triton" not in each.name)  # which is not everywhere
    found = {
        f"{path.name}: {each}" for path in programs for each in private_imports(path.read_text()) if is_public(*each)
    }
    assert found == set()


def private_things(program: str) -> set[str]:
    """What a program imports from private modules, or names in a text, as ``monkeypatch.setattr`` takes it."""
    nodes = list(ast.walk(ast.parse(program)))
    imports = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sweepengine")
    ]
    found = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    found |= {str(node.value) for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name for name in found if re.fullmatch(r"sweepengine(\.\w+)*\._(?!_)\w+(\.\w+)?", name)}


def test_what_the_support_reaches_into_no_test_reaches_into_by_itself() -> None:
    """So a private thing that several tests need moves in one place."""
    assert private_things('from sweepengine.store._marks import Mark\nx = "sweepengine.execute._turn.LOOKS"') == {
        "sweepengine.store._marks.Mark", "sweepengine.execute._turn.LOOKS"
    }  # fmt: skip
    support = {name for path in (TESTS / "support").glob("*.py") for name in private_things(path.read_text())}
    assert len(support) > 5
    support -= {"sweepengine.execute._divergence.Divergence"}  # which has a test of its own
    others = {path for path in TESTS.rglob("test_*.py") if path != Path(__file__)}
    assert {path.name: both for path in others if (both := private_things(path.read_text()) & support)} == {}


def test_the_folders_are_those_of_the_packages() -> None:
    packages = {path.parent.name for path in (ROOT / "sweepengine").glob("*/__init__.py")}
    folders = {path.parent.name for path in TESTS.glob("*/*.*")} - {"__pycache__"}
    assert folders == packages | BESIDE_THE_PACKAGES


def test_the_tests_that_pages_name_are_there() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(tests/[\w/]+\.py)`", page.read_text())}
    assert len(named) > 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50 passed in 3 s", True), ("150 passed", False), ("2.50 passed", False), ("a: 50 passed.", True),
     ("50 passed2", False), ("50 passed.5", False)],
)  # fmt: skip
def test_a_part_of_a_number_is_not_the_number(text: str, expected: bool) -> None:
    assert says(text, "50 passed") == expected
