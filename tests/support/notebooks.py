"""Run notebooks of `analysis/notebooks` as Jupyter does: cell by cell, with the last value of a cell shown.

``python -m tests.support.notebooks --pictures docs/gallery [NAME …]`` is what `make notebooks` calls: it also writes
the picture of each notebook, which is what its cell with the tag `picture` shows.
"""

from __future__ import annotations

import argparse
import ast
import linecache
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "sweepengine" / "analysis" / "notebooks"
_SHOWN = ("_repr_svg_", "_repr_html_", "_repr_markdown_", "_repr_mimebundle_")


def names() -> list[str]:
    """The notebooks, by the names of their files."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.py"))


def cells(name: str) -> list[Any]:
    """The cells of a notebook, as nbformat has them."""
    return list(jupytext.read(NOTEBOOKS / f"{name}.py").cells)


def run(name: str, pictures: Path | None = None) -> None:
    """Run a notebook in the current folder, and write its picture into a folder."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    for number, cell in enumerate(cells(name)):
        if cell.cell_type != "code":
            continue
        value = _run_cell(cell.source, f"<{name}, cell {number}>", module)
        _show(value)
        if "picture" in cell.metadata.get("tags", []) and pictures is not None:
            value.save(str(pictures / f"{name}.svg"))


def _run_cell(source: str, place: str, module: ModuleType) -> Any:
    """Run a cell; the value of its last line where that is an expression."""
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)  # for tracebacks
    tree = ast.parse(source, place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), module.__dict__)  # noqa: S102 (a notebook of this repository)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), place, "eval"), module.__dict__)  # noqa: S307


def _show(value: object) -> None:
    """Make what Jupyter would make of a value, so that what cannot be shown fails."""
    if value is None:
        return
    for form in _SHOWN:
        if hasattr(value, form):
            getattr(value, form)()
            return
    print(value)


def main() -> None:
    """Run notebooks, each in a process and an empty folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=names(), metavar="NAME")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures; none are written where not given")
    chosen = parser.parse_args()
    if len(chosen.names) == 1:
        folder = None if chosen.pictures is None else chosen.pictures.absolute()
        with tempfile.TemporaryDirectory() as empty, chdir(empty):
            run(chosen.names[0], folder)
        return
    for name in chosen.names:
        print(f"{name} …", flush=True)
        given = [] if chosen.pictures is None else ["--pictures", str(chosen.pictures)]
        subprocess.run([sys.executable, "-m", "tests.support.notebooks", name, *given], check=True)


if __name__ == "__main__":
    main()
