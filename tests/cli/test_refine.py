"""Refinement: runs are added where they narrow an interval most for their time, and the store says why."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.analysis import summarise
from sweepengine.cli import main
from sweepengine.errors import SpecError
from sweepengine.execute import Session
from sweepengine.refine import Decided, refine
from sweepengine.spec import RefineSection, make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

AXES = {"scaling": ["ntk", "mean_field"], "width": [8, 16, 32], "seed": 4}
AIM: dict[str, Any] = {"observable": "kernel_drift", "target_halfwidth": 0.2, "max_runs": 300}


def half_widths(store: Path) -> dict[str, float]:
    groups = summarise(sweepengine.open_sweep(store)).groups
    return {group.label: group.fits["kernel_drift"].exponent.half_width for group in groups}


def swept(tiny: Tiny, store: Path, **changes: Any) -> dict[str, Any]:
    """Compute the runs of the axes alone."""
    spec = tiny(axes=AXES) | changes
    with Session(executor="inline") as session:
        session.run(spec, store)
    return spec


def test_a_sweep_is_refined_until_its_intervals_are_short_enough(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    swept(tiny, store, refine=AIM)
    before = sweepengine.open_sweep(store).load()
    assert max(half_widths(store).values()) > AIM["target_halfwidth"]
    decisions = list(refine(store, executor="inline"))
    assert len(decisions) > 1
    assert [each.addition is None for each in decisions] == [*[False] * (len(decisions) - 1), True]
    assert decisions[-1].why.endswith("the target is met")
    assert max(half_widths(store).values()) <= AIM["target_halfwidth"]
    after = sweepengine.open_sweep(store)
    np.testing.assert_array_equal(after.kernel_drift[: before.sizes["run"]], before.kernel_drift)
    reasons = [entry["provenance"].get("reason") for entry in SweepStore(store).attributes["specs"]]
    assert reasons == [None, *(each.why for each in decisions[:-1])]
    assert [len(list(refine(store, executor="inline"))), after.sizes["run"]] == [1, len(after.run)]


def test_only_the_group_that_needs_them_gets_more_runs(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "b.zarr"
    swept(tiny, store)
    widest = max(half_widths(store), key=lambda label: half_widths(store)[label])
    first = next(iter(refine(store, RefineSection(**AIM), executor="inline")))
    assert (first.group, first.key) == (widest, "kernel_drift")


def test_the_limit_of_runs_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "c.zarr"
    swept(tiny, store)
    aim = RefineSection(observable="kernel_drift", target_halfwidth=1e-4, max_runs=40)
    decisions = list(refine(store, aim, executor="inline"))
    assert "would pass the limit of 40" in decisions[-1].why
    assert 24 < len(sweepengine.open_sweep(store).run) <= 40


def test_an_aim_that_names_nothing_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "d.zarr"
    swept(tiny, store)
    with pytest.raises(SpecError, match="has no section refine"):
        next(refine(store, executor="inline"))
    with pytest.raises(SpecError, match=r"'kernel_drif' has no exponent.*Did you mean 'kernel_drift'"):
        next(refine(store, RefineSection(**AIM | {"observable": "kernel_drif"}), executor="inline"))
    with pytest.raises(SpecError, match=r"'lasy'.*Did you mean 'lazy'"):
        next(refine(store, RefineSection(claim="lasy", target_halfwidth=0.1, max_runs=9), executor="inline"))
    for section in ({}, AIM | {"claim": "lazy"}, AIM | {"target_halfwidth": 0.0}, AIM | {"max_run": 3}):
        with pytest.raises(SpecError, match="refine"):
            make_spec(tiny(axes=AXES) | {"refine": section})


def test_the_section_changes_no_run_and_may_change_in_a_store(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "e.zarr"
    swept(tiny, store)
    outcome = sweepengine.run(tiny(axes=AXES) | {"refine": AIM | {"max_runs": 24}}, store, executor="inline")
    assert outcome.skipped == outcome.runs == 24


def test_run_refines_as_the_command_does(tiny: Tiny, tmp_path: Path) -> None:
    decisions: list[Decided] = []
    spec = tiny(axes=AXES) | {"refine": AIM}
    outcome = sweepengine.run(spec, tmp_path / "g.zarr", executor="inline", decided=decisions.append)
    assert [each.addition is None for each in decisions] == [*[False] * (len(decisions) - 1), True]
    assert outcome.runs == outcome.done == len(sweepengine.open_sweep(outcome.store).run) > 24
    assert [each.why for each in refine(outcome.store, executor="inline")] == [decisions[-1].why]


def test_only_a_sweep_that_is_refined_needs_the_analysis(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sweepengine.refine", "sweepengine.analysis"):
        monkeypatch.setitem(sys.modules, module, None)
    assert sweepengine.run(tiny(axes=AXES), tmp_path / "i.zarr", executor="inline").done == 24
    with pytest.raises(ImportError):
        sweepengine.run(tiny(axes=AXES) | {"refine": AIM}, tmp_path / "i.zarr", executor="inline")


def test_run_goes_on_to_refine_and_refine_takes_its_aim_from_the_command_line(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(tiny(axes=AXES) | {"refine": AIM}))
    assert main(["run", "spec.yaml", "--store", "f.zarr", "--executor", "inline", "--no-report"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"refine: kernel_drift in \w+ is known to ± [\d.]+, wanted is ± 0.2; adds ", said)
    assert "the target is met" in said
    command = ["refine", "f.zarr", "--executor", "inline", "--claim", "lazy", "--max-runs", "30"]
    assert main([*command, "--target-halfwidth", "0.001"]) == 0
    assert "would pass the limit of 30" in capsys.readouterr().out
    assert main(command) == 2
    assert "target_halfwidth: missing" in capsys.readouterr().err
