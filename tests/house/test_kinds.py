"""Nothing but the table of kinds knows how many kinds of sweeps there are."""

from __future__ import annotations

import ast
from pathlib import Path
from pkgutil import resolve_name

import pytest

from sweepengine.spec import kinds

ROOT = Path(__file__).parents[2]
CLASSES = {each.__name__ for kind in kinds() for each in (kind.spec, kind.run)}
FILES = sorted(path for folder in ("sweepengine", "analysis") for path in (ROOT / folder).rglob("*.py"))


def isinstance_of_kinds(tree: ast.AST) -> list[int]:
    """Lines that ask which kind a spec or a run is of."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    asked = (node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "isinstance")
    return [
        node.lineno for node in asked if CLASSES & {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
    ]


def test_the_search_finds_what_it_looks_for() -> None:
    assert isinstance_of_kinds(ast.parse("x = 1\nif isinstance(run, (int, ParticleRun)): pass")) == [2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_asks_for_the_kind(path: Path) -> None:
    assert not isinstance_of_kinds(ast.parse(path.read_text()))


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_every_reference_of_a_kind_resolves(kind: object) -> None:
    for name in ("work", "turn", "findings"):
        assert resolve_name(getattr(kind, name)) is not None
