"""`analysis` stands on its own: what it may import, in which direction, and what it loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from sweepengine import analysis

ROOT = Path(analysis.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent.name != "notebooks")  # which are users
ALLOWED = {"numpy", "pandas", "scipy", "xarray", "dask", "rich", "altair", "vl_convert", "sweepengine"}


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


def test_only_allowed_libraries() -> None:
    for path in MODULES:
        for module, _, _ in imports(path):
            top = module.split(".")[0]
            assert top in ALLOWED or top in sys.stdlib_module_names, f"{path.name} imports {module}"


def module_of(path: Path) -> str:
    """Its name within `sweepengine.analysis`; a package has the name of its folder."""
    return ".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__")


def test_imports_have_no_cycle() -> None:
    """Those for types alone are counted too."""
    prefix = "sweepengine.analysis."
    graph = {
        name: {module.removeprefix(prefix) for module, _, _ in imports(path) if module.startswith(prefix)}
        for path in MODULES
        if (name := module_of(path))
    }
    graph["claims"] |= {name for name in graph if name.startswith("claims.")}  # found by their files
    assert len(graph["claims"]) > 5
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"cycle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


def test_kinds_of_sweeps_are_named_in_their_records_alone() -> None:
    """What differs between kinds stands in the record of each; nothing else asks which kind a sweep is of."""
    for path in MODULES:
        records = {
            module for module, _, _ in imports(path) if module.rpartition(".")[2] in {"_of_networks", "_of_particles"}
        }
        assert not records or path.parent.name == "claims", path


def test_modules_are_small() -> None:
    assert {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 250} == {}


def test_import_is_light_and_the_summary_needs_no_plotting_library() -> None:
    code = (
        "import sys, sweepengine.analysis; heavy = {'torch', 'ray', 'altair', 'vl_convert', 'pandas', 'zarr'};"
        "print(sorted(heavy & set(sys.modules)), 'xarray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_every_public_name_has_a_docstring() -> None:
    names = [n for n in vars(analysis) if not n.startswith("_")]
    assert {"summarise", "write_report", "write_main_figure", "fit_scaling", "reduce_runs", "judge"} <= set(names)
    for name in ("summarise", "write_report", "write_main_figure", "fit_scaling", "reduce_runs", "judge"):
        assert "Parameters" in (getattr(analysis, name).__doc__ or "")
