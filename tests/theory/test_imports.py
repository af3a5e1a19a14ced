"""The package stands alone, so that an oracle cannot share the engine's bugs."""

import ast
import sys
from pathlib import Path

import pytest

import sweepengine.theory as theory

PACKAGE = Path(theory.__file__).parent
ALLOWED = {"numpy", "scipy"} | set(sys.stdlib_module_names)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names.add(str(node.module))
    return names


MODULES = sorted(PACKAGE.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_only_numpy_scipy_and_itself(path: Path) -> None:
    foreign = {
        name
        for name in _imported(path)
        if name.split(".")[0] not in ALLOWED and not name.startswith("sweepengine.theory.")
    }
    assert foreign == set()


def test_imports_have_no_cycle() -> None:
    graph = {
        path.stem: {n.rsplit(".", 1)[1] for n in _imported(path) if n.startswith("sweepengine.theory._")}
        for path in MODULES
    }
    done: set[str] = set()
    while remaining := set(graph) - done:
        ready = {name for name in remaining if graph[name] <= done}
        assert ready, f"cycle among {sorted(remaining)}"
        done |= ready


def test_modules_stay_small() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert max(lengths.values()) < 400, lengths


def test_everything_exported_exists_and_is_documented() -> None:
    for name in (name for name in vars(theory) if not name.startswith("_") and name != "annotations"):
        assert (getattr(theory, name).__doc__ or "").strip(), name
