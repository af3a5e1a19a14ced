"""Users' code that is wrong: refused before anything runs where it can be, and else its run's failure alone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError, StoreError
from sweepengine.store import SweepStore, failed_runs
from tests.support.plugins import fresh_registry, observing, plugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


BROKEN = [
    ("return now.train.forward.outputs", "observable o: found shape (12,); expected ()"),
    ("return torch.tensor(1)", "observable o: found torch.int64; return floating-point numbers"),
    ("return 1.0", "observable o: found float; return a floating-point torch.Tensor"),
    ("return now.nothing", "observable o: it raised AttributeError: 'Moment' object has no attribute 'nothing' ("),
    ("return {}[start]", "observable o: it raised KeyError: "),
]


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[body for body, _ in BROKEN])
def test_an_observable_that_is_wrong_fails_its_run_alone(tiny: Tiny, tmp_path: Path, body: str, message: str) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', long_name='o')\n"
        f"def o(now, start):\n    if now.network.parameters.width == 16:\n        {body}\n"
        "    return torch.tensor(1.5)\n"
    )
    store, path = tmp_path / "b.zarr", plugin(tmp_path, text)
    outcome = sweepengine.run(observing(tiny, "o"), store, executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (4, 4)
    sweep = sweepengine.open_sweep(store).load()
    assert set(sweep.width.values[sweep.status.values == "failed"]) == {16}
    np.testing.assert_array_equal(sweep.o.values[sweep.width.values == 8], 1.5)
    assert all(message in run.failure.traceback for run in failed_runs(SweepStore(store)))


def test_a_size_that_only_the_sweep_knows_is_checked_too(tiny: Tiny, tmp_path: Path) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', dims=('i',), long_name='o')\n"
        "def o(now, start):\n    return torch.zeros(1)\n"  # would be broadcast without the check
    )
    path = plugin(tmp_path, text)
    with pytest.raises(SpecError, match=r"observable o: found shape \(1,\); expected \(i: 12\)"):
        sweepengine.run(observing(tiny, "o"), tmp_path / "s.zarr", executor="inline", plugins=[path])
    assert not (tmp_path / "s.zarr").exists()
    fresh_registry()
    late = plugin(tmp_path, text.replace("zeros(1)", "zeros(1 if now.step else 12)"), "late.py")
    outcome = sweepengine.run(observing(tiny, "o"), tmp_path / "s.zarr", executor="inline", plugins=[late])
    assert outcome.failed == outcome.runs


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[body for body, _ in BROKEN])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_observable_that_cannot_work_is_refused_before_anything_runs(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, body: str, message: str
) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', long_name='o')\ndef o(now, start):\n    "
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(observing(tiny, "o")))
    words = [command, str(spec), "--store", str(tmp_path / "s.zarr")]
    assert main([*words, "--plugin", plugin(tmp_path, text + body + "\n")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {spec}: {message}")
    assert "a trial of observable o@1 at t = 0 of run" in said
    assert not (tmp_path / "s.zarr").exists()


SEEDED = """
import torch, sweepengine
from sweepengine import register_observable


@register_observable(name="o", long_name="o", version="VERSION")
def o(now, start):
    BODY
    return now.train.forward.outputs.mean()
"""
LATE = "if now.step: raise SystemExit"


@pytest.mark.parametrize(
    "raised", ["SystemExit", "SystemExit('x')", "KeyboardInterrupt", "GeneratorExit", "OSError('x')"]
)
def test_whatever_user_code_raises_is_its_runs_failure(tiny: Tiny, tmp_path: Path, raised: str) -> None:
    body = f"if now.step and now.network.parameters.width == 8: raise {raised}"
    path, store = plugin(tmp_path, SEEDED.replace("BODY", body)), tmp_path / "b.zarr"
    outcome = sweepengine.run(observing(tiny, "o"), store, executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (4, 4)


def test_code_may_be_mended_until_a_run_has_succeeded_with_it(tiny: Tiny, tmp_path: Path) -> None:
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"

    def run(body: str, version: str = "1") -> Any:
        fresh_registry()
        path = plugin(tmp_path, SEEDED.replace("BODY", body), version=version)
        return sweepengine.run(content, store, executor="inline", plugins=[path], commit_seconds=1e-9)

    assert run(LATE).failed == 8
    assert run(LATE + "  # still", "2").failed == 8
    assert run("if now.step > 3: raise SystemExit").failed == 8  # of the first version again, other code
    assert run("pass").done == 8
    sweep = sweepengine.open_sweep(store).load()
    done = sweep.isel(run=np.flatnonzero(sweep.status == "done"))
    np.testing.assert_allclose(done.o, done.outputs_train.mean("i"), rtol=1e-12)
    with pytest.raises(StoreError, match="other code of observable o under version '1'"):
        run("now.step")
    with pytest.raises(StoreError, match="observables: the store has"):
        run("pass", "2")


def test_an_observable_keeps_its_dims_in_one_store(tiny: Tiny, tmp_path: Path) -> None:
    """Failed runs of a version that was given up stay in the store, which must open with the others."""
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"
    path = plugin(tmp_path, SEEDED.replace("BODY", LATE))
    assert sweepengine.run(content, store, executor="inline", plugins=[path]).failed == 8
    text = (
        SEEDED.replace(', version="VERSION"', ', dims=["i"], version="2"')
        .replace(".mean()", "")
        .replace("BODY", "pass")
    )
    with pytest.raises(StoreError, match=r"has the observable o with dims {}, here it has \['i'\]"):
        sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, text, "dims.py")])


def test_a_state_of_code_that_was_mended_is_not_gone_on_from(tiny: Tiny, tmp_path: Path) -> None:
    """What the first code had recorded before it failed is not mixed with what the second records."""
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"
    for body in ("if now.step > 3: raise SystemExit\n    if True: return now.train.forward.outputs.mean() + 1", "pass"):
        fresh_registry()
        path = plugin(tmp_path, SEEDED.replace("BODY", body))
        sweepengine.run(content, store, executor="inline", plugins=[path], commit_seconds=1e-9)
    sweep = sweepengine.open_sweep(store).load()
    np.testing.assert_allclose(sweep.o, sweep.outputs_train.mean("i"), rtol=1e-12)


def test_failures_of_one_reason_are_one_line(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.yaml").write_text(json.dumps(observing(tiny, "o")))
    path, store = plugin(tmp_path, SEEDED.replace("BODY", LATE)), str(tmp_path / "f.zarr")
    words = [
        "run",
        str(tmp_path / "spec.yaml"),
        "--store",
        store,
        "--executor",
        "inline",
        "--no-report",
        "--plugin",
        path,
    ]
    assert main(words) == 1
    said = capsys.readouterr().err.splitlines()
    failed = [line for line in said if line.startswith("failed: ")]
    assert re.fullmatch(r"failed: run \w+: RunError: observable o: it raised SystemExit .*", failed[0])
    assert re.fullmatch(
        r"failed: 7 runs more \(run \w+, run \w+, run \w+ …\): RunError: observable o: it .*", failed[1]
    )
    assert len(failed) == 2
    assert main(["status", store]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed: ")]
    assert line.startswith("failed: 8 runs, run ")


def test_dims_without_a_size(tiny: Tiny, tmp_path: Path) -> None:
    sweepengine.register_observable(name="o", dims=["bin"], long_name="o")(lambda now, _: now)
    with pytest.raises(
        SpecError, match=r"observable o@1: its dim 'bin' has no size; give one with sizes={'bin': …}, or"
    ):
        sweepengine.run(observing(tiny, "o"), tmp_path / "d.zarr", executor="inline")
    for name, size in (("p", 3), ("q", 4)):
        sweepengine.register_observable(name=name, dims=["bin"], sizes={"bin": size}, long_name=name)(
            lambda now, _: now
        )
    with pytest.raises(SpecError, match="observable q@1: gives dim 'bin' size 4; here it has 3 already"):
        sweepengine.run(observing(tiny, "p", "q"), tmp_path / "d.zarr", executor="inline")
