"""Imports go down the list of design only, and cheap imports stay cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweepengine

ROOT = Path(__file__).parents[2]
LAYERS = [
    "cli",
    "cluster",
    "analysis",
    "execute",
    "plan",
    "store",
    "observe",
    "networks",
    "particles",
    "theory",
    "data",
    "spec",
    "plugins",
]
"""From the top; a package imports from those below it. The modules of ``BASE`` lie under all of them."""
BASE = {
    "activations",
    "amounts",
    "errors",
    "files",
    "options",
    "runge_kutta",
    "sources",
    "streams",
    "time_methods",
    "transport",
}
BETWEEN = {"claims", "refine", "reports", "sweeps"}
"""Modules that lie between cli and the packages: they run sweeps and analyse them."""
SEEN_BY_ANALYSIS = {
    "activations",
    "analysis",
    "files",
    "open_sweep",
    "open_theory",
    "sources",
    "spec",
    "theory",
    "errors",
    "time_methods",
    "transport",
}
"""It reads stores through the public door, and the facts of specs and the bounds of theorems from their packages."""
TORCH_FREE = ["spec", "data", "store", "observe", "theory", "plugins"]


def engine_imports(path: Path) -> set[str]:
    """Names of engine parts that a module imports anywhere, type checking and functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [
                f"{node.module}.{alias.name}" if node.module == "sweepengine" else node.module for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("sweepengine.")}
    return found


def modules(folder: str) -> list[Path]:
    """The modules of a folder; notebooks are programs of users, and may import all that is public."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if path.parent.name != "notebooks")


def test_every_package_has_its_layer() -> None:
    packages = {path.parent.name for path in (ROOT / "sweepengine").glob("*/__init__.py")}
    assert packages == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_down_only(layer: str) -> None:
    below = set(LAYERS[LAYERS.index(layer) :]) | BASE
    if layer == "particles":
        below = {"particles", "networks"} | BASE  # it stands beside networks and may use them, not the other way round
    else:
        below -= {"particles"} if layer in {"networks", "theory", "data", "spec"} else set()
    if layer == "analysis":
        below = SEEN_BY_ANALYSIS
    if layer == "theory":
        below = {"theory"}  # an oracle cannot share the engine's bugs
    if layer == "cli":
        below |= {"__version__"} | BETWEEN
    if layer == "cluster":
        below -= {"analysis"}
    files = modules(f"sweepengine/{layer}")
    assert files
    for path in files:
        assert engine_imports(path) <= below, path


@pytest.mark.parametrize("name", sorted(BETWEEN))
def test_what_runs_and_analyses_lies_below_the_commands(name: str) -> None:
    below = set(LAYERS[LAYERS.index("analysis") :]) | BASE | ({"refine"} if name == "sweeps" else set())
    assert engine_imports(ROOT / "sweepengine" / f"{name}.py") <= below


def test_notebooks_take_the_public_doors() -> None:
    """The package, its parts that it names, and what these offer: no private module."""
    parts = set(sweepengine.__all__)
    paths = sorted((ROOT / "sweepengine" / "analysis" / "notebooks").glob("*.py"))
    assert len(paths) > 5
    for path in paths:
        assert engine_imports(path) <= parts, path
        assert "sweepengine._" not in path.read_text(), path
        assert not re.search(r"import _|\._[a-z]", path.read_text()), path


@pytest.mark.parametrize("layer", LAYERS)
def test_files_of_a_package_have_no_circles(layer: str) -> None:
    """Imports for types and inside functions count: a circle that Python does not see is one for the reader."""
    names = {path.stem for path in (ROOT / "sweepengine" / layer).glob("*.py")} - {"__init__"}
    needs = {name: _own_imports(layer, name) & names for name in names}
    while needs:
        leaves = {name for name, others in needs.items() if not others & needs.keys()}
        assert leaves, f"a circle among {sorted(needs)}"
        for name in leaves:
            del needs[name]


def _own_imports(layer: str, name: str) -> set[str]:
    """Files of its own package that a file imports anywhere."""
    found, package = set(), f"sweepengine.{layer}"
    for node in ast.walk(ast.parse((ROOT / "sweepengine" / layer / f"{name}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{package}."):
            found.add(node.module.removeprefix(f"{package}."))
    return found


@pytest.mark.parametrize("name", sorted(BASE))
def test_the_base_imports_at_most_the_errors(name: str) -> None:
    assert engine_imports(ROOT / "sweepengine" / f"{name}.py") <= {"errors"} - {name}


def test_analysis_imports_neither_torch_nor_ray() -> None:
    for path in modules("sweepengine/analysis"):
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not imported & {"torch", "ray"}, path


def test_ray_is_imported_in_three_places() -> None:
    """By the executor, for the job server of a cluster, and to ask the nodes of a cluster how they are."""
    users = {f"{path.parent.name}/{path.name}" for path in modules("sweepengine") if _imports_ray(path)}
    assert users == {"execute/_ray.py", "cluster/_jobs.py", "cluster/_nodes.py"}


def private_zarr(program: str) -> set[str]:
    """Private modules and names of zarr that a program imports, and private attributes that its classes inherit."""
    tree = ast.parse(program)
    found, public = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if _is_private_zarr(alias.name)}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "zarr":
            public |= {alias.name for alias in node.names}
            found |= {name for alias in node.names if _is_private_zarr(name := f"{node.module}.{alias.name}")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {name.id for base in node.bases for name in _names(base)} & public:
            attributes = [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]
            own = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
            own |= {each.attr for each in attributes if isinstance(each.ctx, ast.Store)}
            found |= {
                f"{node.name}.{each.attr}"
                for each in attributes
                if each.attr.startswith("_") and not each.attr.startswith("__") and each.attr not in own
            }
    return found


def _is_private_zarr(name: str) -> bool:
    first, *parts = name.split(".")
    return first == "zarr" and any(part == "core" or part.startswith("_") for part in parts)


def _names(tree: ast.AST) -> list[ast.Name]:
    return [each for each in ast.walk(tree) if isinstance(each, ast.Name)]


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        ("from zarr.core.sync import sync", {"zarr.core.sync.sync"}),
        ("def late():\n    import zarr.core.buffer", {"zarr.core.buffer"}),
        ("from zarr.storage import _local", {"zarr.storage._local"}),
        ("from zarr import core", {"zarr.core"}),
        (
            "from zarr.storage import LocalStore\nclass A(LocalStore):\n    def f(self): self._check_writable()",
            {"A._check_writable"},
        ),
        ("from zarr.storage import LocalStore\nclass A(LocalStore):\n    def f(self): self._own = 1", set()),
        ("import zarr\nfrom zarr.abc.store import Store\nfrom zarr.buffer import default_buffer_prototype", set()),
    ],
)
def test_what_is_private_to_zarr_is_seen(program: str, seen: set[str]) -> None:
    assert private_zarr(program) == seen


def test_private_parts_of_zarr_are_used_in_one_place() -> None:
    paths = [path for folder in ("sweepengine", "analysis", "benchmarks", "tests") for path in modules(folder)]
    used = {str(path.relative_to(ROOT)): found for path in paths if (found := private_zarr(path.read_text()))}
    assert used == {"sweepengine/store/_zarr.py": {"zarr.core.sync.sync"}}


def _imports_ray(path: Path) -> bool:
    text = path.read_text()
    return any(mark in text for mark in ("import ray", "from ray", 'import_module("ray'))


def loaded_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_importing_the_package_is_cheap() -> None:
    heavy = {"torch", "ray", "altair", "matplotlib", "plotly", "bokeh", "dask", "xarray", "zarr", "sklearn"}
    assert not loaded_after("import sweepengine") & {*heavy, "pydantic", "numpy"}
    # The spec, what is observed, the analysis and the errors are for notebooks that compute nothing.
    offered = (
        "sweepengine.read_spec, sweepengine.ParticleSpec, sweepengine.SpecError, sweepengine.observe, "
        "sweepengine.analysis"
    )
    assert not loaded_after(f"import sweepengine; {offered}") & heavy
    loaded = loaded_after("import sweepengine.particles")
    assert "torch" in loaded  # the test can see what it looks for
    assert "triton" not in loaded


@pytest.mark.parametrize("package", TORCH_FREE)
def test_packages_without_torch(package: str) -> None:
    assert not loaded_after(f"import sweepengine.{package}") & {"torch", "ray"}


def test_a_driver_of_ray_needs_no_torch() -> None:
    program = "import sweepengine.cli._commands, sweepengine.execute, sweepengine.execute._ray, sweepengine.plan"
    assert not loaded_after(program) & {"torch"}


def test_a_cluster_file_is_examined_without_torch_and_ray() -> None:
    program = "from sweepengine.cluster import examine, submit; from sweepengine.cluster._file import check_file"
    assert not loaded_after(program) & {"torch", "ray", "sweepengine.analysis"}


def test_a_sweep_needs_no_analysis() -> None:
    assert not loaded_after("import sweepengine; sweepengine.run") & {"sweepengine.analysis", "altair"}


def test_a_driver_imports_only_what_it_uses() -> None:
    unused = {"scipy", "sklearn", "xarray", "dask", "ray", "torch", "sweepengine.theory"}
    assert not loaded_after("import sweepengine.execute, sweepengine.plan") & unused
    digits = (
        "from sweepengine.data import load; from sweepengine.spec import job_spec; load(job_spec('quickstart').data)"
    )
    assert not loaded_after(digits) & unused


def test_theory_imports_the_parts_of_scipy_when_it_uses_them() -> None:
    parts = {f"scipy.{name}" for name in ("integrate", "linalg", "optimize", "special", "stats")}
    assert not loaded_after("import sweepengine.theory") & parts
    relu = "theory.kernels([[1.0]], depth=1, activation='relu', sigma_w=1, sigma_b=0)"
    assert not loaded_after(f"from sweepengine import theory; {relu}") & parts
    tanh = relu.replace("relu", "tanh")
    assert "scipy.special" in loaded_after(f"from sweepengine import theory; {tanh}")


def test_opening_a_sweep_needs_no_torch() -> None:
    assert not loaded_after("import sweepengine; sweepengine.open_sweep; import sweepengine.analysis") & {
        "torch",
        "ray",
    }
