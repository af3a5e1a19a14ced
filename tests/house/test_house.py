"""The house: README, and what the repository must never hold."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from tests.support.command_line import commands
from tests.support.guides import shown_commands

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def guide(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def block(language: str, text: str) -> str:
    """The first one of a page."""
    return str(re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)[0])


def test_the_first_python_prints_what_it_says(tmp_path: Path) -> None:
    program, printed = block("python", guide("getting-started")), block("text", guide("getting-started"))
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == printed


def test_the_spec_that_is_explained_is_the_quickstart() -> None:
    assert yaml.safe_load(block("yaml", guide("sweeps"))) == yaml.safe_load(
        (ROOT / "jobs" / "quickstart.yaml").read_text()
    )


def test_the_guides_commands_exist() -> None:
    named = {line.split()[0] for line in shown_commands()}
    assert named == set(commands())
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"^\$ make ([\w-]+)", README, flags=re.MULTILINE)) <= targets


def test_the_guides_options_are_those_of_the_command() -> None:
    def shown(default: object) -> str:
        if default is None or isinstance(default, bool):
            return "yes" if default else ""
        return f"{default:g}" if isinstance(default, float) else str(default)

    options = [each for each in commands()["run"].params if each.param_type_name == "option"]
    rows = [
        f"| {', '.join(f'`{name}`' for name in (*each.opts, *each.secondary_opts))} "
        f"| {shown(each.default)} | {each.help} |"
        for each in options
    ]
    assert len(rows) > 10
    assert re.findall(r"^\| `--.*\|$", guide("running"), flags=re.MULTILINE) == rows


def test_the_guides_activations_are_those_that_there_are() -> None:
    """Each row is a name that specs take, with the formula of the function that it stands for."""
    import torch

    from sweepengine.activations import ACTIVATIONS, NAMED_BY_SLOPES, layer_activations
    from sweepengine.networks import activation

    rows = re.findall(r"^\| `(.*)` \| `(.*)` \| (layers and units|units) \|$", guide("sweeps"), flags=re.MULTILINE)
    assert [name for name, _, _ in rows] == [*ACTIVATIONS, *NAMED_BY_SLOPES]
    layers = (*layer_activations(), *NAMED_BY_SLOPES)
    assert [name for name, _, of in rows if of == "layers and units"] == list(layers)
    slopes = {"SLOPE": 0.25, "SLOPE_ABOVE_0": 2.0, "SLOPE_BELOW_0": -0.5}
    known = {name: getattr(math, name) for name in ("tanh", "erf", "sin", "cos", "sqrt", "log", "exp")}
    for name, formula, _ in rows:
        given = re.sub(r"SLOPE\w*", lambda found: str(slopes[found[0]]), name)
        for h in (-2.0, -0.3, 0.0, 0.7, 1.2, 3.0):
            value = activation(given)(torch.tensor([h], dtype=torch.float64))[0].item()
            wanted = eval(formula, known | slopes | {"h": h})  # noqa: S307 -- a formula of our own page
            assert math.isclose(value, wanted, abs_tol=1e-12), (name, h)


def test_the_guides_axes_are_those_that_are_declared() -> None:
    from sweepengine.spec import KINDS, axes_of

    of_layers = {"depth", "activation", "sigma_w", "sigma_b"}  # which a model of the user's own has not
    specs = {kind.name: kind.spec for kind in KINDS}
    declared: dict[str, tuple[dict[str, None], list[str]]] = {}
    for kind in ("networks", "models", "particles"):
        for axis, sweeps in axes_of(specs.pop(kind)).items():
            if kind != "models" or axis not in of_layers:
                settings, names = declared.setdefault(axis, ({}, []))
                settings[f"`{sweeps.setting}`"] = None
                names.append(kind)
    assert all(axes_of(spec) == {} for spec in specs.values())
    rows = {f"| `{axis}` | {', '.join(paths)} | {', '.join(names)} |" for axis, (paths, names) in declared.items()}
    text = guide("sweeps")
    assert set(text[text.index("| axis |") :].split("\n\n")[0].splitlines()[2:]) == rows


def test_python_is_on_the_first_screen() -> None:
    assert README[: README.index("```python")].count("\n") < 25


def test_every_architecture_row_is_a_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"^\| `sweepengine\.(\w+)`", text, flags=re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "sweepengine").glob("*/__init__.py")}


def test_every_job_is_a_valid_spec_named_like_its_file() -> None:
    from sweepengine.spec import read_spec

    jobs = sorted((ROOT / "jobs").glob("*.yaml"))
    assert jobs
    for job in jobs:
        assert read_spec(job).name == job.stem


def test_the_citation_is_that_of_this_version() -> None:
    import sweepengine

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert all(each.get("name") or each.get("family-names") for each in citation["authors"])
    assert citation["version"] == sweepengine.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["license"] == project["license"]
