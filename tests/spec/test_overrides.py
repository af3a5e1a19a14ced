"""Settings given beside a file: the same as if they stood in it, and each error names the one at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.spec import make_spec, read_spec

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "jobs" / "quickstart.yaml"


@pytest.mark.parametrize(
    ("texts", "change"),
    [
        (["axes.seed=16"], {"axes": {"seed": 16}}),
        (["axes.seed=16", "training.time=10"], {"axes": {"seed": 16}, "training": {"time": 10}}),
        (["axes.seed=[3, 5]"], {"axes": {"seed": [3, 5]}}),
        (["training.step_size=1e-1"], {"training": {"step_size": 0.1}}),
        (["network.sigma_w = 2.0"], {"network": {"sigma_w": 2.0}}),
        (
            ["training.method.name=sgd", "training.method.batch_size=16"],
            {"training": {"method": {"name": "sgd", "batch_size": 16}}},
        ),
        (
            ["training.method={name: sgd, batch_size: 16}"],
            {"training": {"method": {"name": "sgd", "batch_size": 16}}},
        ),
        (["axes.depth=[1, 2]", "network.depth=null"], {"axes": {"depth": [1, 2]}, "network": {"depth": None}}),
        (["name=other", "precision=float64"], {"name": "other", "precision": "float64"}),
    ],
)
def test_an_override_is_what_the_file_would_say(texts: list[str], change: dict[str, Any]) -> None:
    content = yaml.safe_load(QUICKSTART.read_text())
    for key, value in change.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    found, expected = read_spec(QUICKSTART, texts), make_spec(content)
    assert found == expected
    assert found != read_spec(QUICKSTART)
    assert found.to_json() == expected.to_json()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["training.tiem=10"],
            r"training\.tiem: unknown key\. Did you mean 'time'\?.*\(from --set training\.tiem=10\)",
        ),
        (["trianing.time=10"], r"trianing: unknown key\. Did you mean 'training'\?.*\(from --set trianing\.time=10\)"),
        (["axes.seed=x"], r"axes\.seed: found 'x'.*\(from --set axes\.seed=x\)$"),
        (["training.time='10'"], r"training\.time: found '10'; expected a number \(from --set training\.time='10'\)"),
        (["training.time=20,0"], r"found '20,0'; expected a number; a number has a point, 20\.0, and no comma \(from"),
        (["axes.depth=[1]"], r"network\.depth and axes\.depth are both given.*\(from --set axes\.depth=\[1\]\)"),
        (["axes.seed=2", "training.time=-1"], r"training\.time: found -1.*\(from --set training\.time=-1\)$"),
        (["kind=particles"], r"\(with --set kind=particles\)$"),
        (["axes.seed"], r"^--set axes\.seed: expected PATH=VALUE"),
        (["=3"], r"^--set =3: expected PATH=VALUE"),
        (["axes..seed=3"], r"^--set axes\.\.seed=3: expected PATH=VALUE"),
        (["axes.seed.first=3"], r"--set axes\.seed\.first=3: axes\.seed is 8, which has no fields; set axes\.seed"),
        (["axes.width=[1,"], r"^--set axes\.width=\[1,: this is not valid YAML"),
        (["name=!!python/name:os.system ''"], r"^--set name=.*: line 1: found the tag.*remove the tag"),
        (["axes.seed=3", "axes.seed=4"], r"^--set axes\.seed=4: it would replace --set axes\.seed=3; keep one"),
        (["axes.seed=3", "axes={width: [8]}"], r"^--set axes=\{width: \[8\]\}: it would replace --set axes\.seed=3"),
    ],
)
def test_an_error_says_which_override_is_wrong(texts: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){message}"):
        read_spec(QUICKSTART, texts)


def test_an_error_of_the_file_blames_no_override_that_is_not_in_it(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(QUICKSTART.read_text().replace("depth: 1", "depht: 1"))
    with pytest.raises(SpecError) as refused:
        read_spec(path, ["axes.seed=16"])
    assert "(from" not in str(refused.value)
    assert str(refused.value).endswith("(with --set axes.seed=16)")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    content = yaml.safe_load(QUICKSTART.read_text()) | {"data": {"name": "file", "path": "one.npz"}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content))
    spec = read_spec(tmp_path / "spec.yaml", ["data.path=other.npz"])
    assert Path(spec.to_json()["data"]["path"]) == tmp_path / "other.npz"


def test_a_spec_with_overrides_runs_from_python(tmp_path: Path) -> None:
    few = ["axes={scaling: [ntk], width: [8], seed: 3}", "training.time=1.0", "training.records.count=3"]
    spec = sweepengine.read_spec(QUICKSTART, overrides=few)
    assert sweepengine.run(spec, tmp_path / "few.zarr", executor="inline").done == 3
