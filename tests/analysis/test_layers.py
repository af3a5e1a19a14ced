"""`analysis` stands on its own: what it may import, in which direction, and what it loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import analysis

ROOT = Path(analysis.__file__).parent
MODULES = sorted(ROOT.glob("*.py"))
PUBLIC_DOORS = {
    ("sweepengine", "open_sweep"),
    ("sweepengine", "transport"),
    ("sweepengine.errors", "SweepError"),
    ("sweepengine.activations", "ACTIVATIONS"),
    ("sweepengine.activations", "ActivationEntry"),
}
ALLOWED = {"numpy", "scipy", "xarray", "dask", "rich", "altair", "vl_convert", "analysis", "sweepengine"}


def imports(path: Path) -> list[tuple[str, str, bool]]:
    """(module, name, whether for types only) of every import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "", id(node) in typing_only) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            found += [(node.module or "", alias.name, id(node) in typing_only) for alias in node.names]
    return found


def test_only_allowed_libraries_and_only_open_sweep_of_the_engine() -> None:
    for path in MODULES:
        for module, name, _ in imports(path):
            top = module.split(".")[0]
            assert top in ALLOWED or top in sys.stdlib_module_names, f"{path.name} imports {module}"
            if top == "sweepengine":
                assert (module, name) in PUBLIC_DOORS, f"{path.name} imports {module}.{name}"


def test_imports_at_run_time_have_no_cycle() -> None:
    graph = {
        path.stem: {m.split(".")[1] for m, _, types in imports(path) if m.startswith("analysis.") and not types}
        for path in MODULES
        if path.stem != "__init__"
    }
    # A summary renders itself: the one call back, made inside a function.
    graph["_results"].discard("_terminal")
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"cycle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


def test_modules_are_small() -> None:
    assert {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 250} == {}


def test_import_is_light_and_the_summary_needs_no_plotting_library() -> None:
    code = (
        "import sys, analysis; heavy = {'torch', 'ray', 'altair', 'vl_convert', 'pandas', 'zarr'};"
        "print(sorted(heavy & set(sys.modules)), 'xarray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_every_public_name_has_a_docstring() -> None:
    names = [n for n in vars(analysis) if not n.startswith("_")]
    assert {"summarise", "write_report", "write_main_figure", "fit_scaling", "reduce_runs", "judge"} <= set(names)
    for name in ("summarise", "write_report", "write_main_figure", "fit_scaling", "reduce_runs", "judge"):
        assert "Parameters" in (getattr(analysis, name).__doc__ or "")
