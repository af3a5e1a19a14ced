"""Every claim holds on the job that measures it, or by its computation, and its negative twin refutes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

import sweepengine
from sweepengine import analysis
from sweepengine.analysis import claims
from sweepengine.analysis._kinds import findings_of
from sweepengine.spec import job_names, job_path, kinds, read_spec

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._decision import Part

EVIDENCE = {f"{claim.id}-{k}": (claim, each) for claim in analysis.CLAIMS for k, each in enumerate(claim.evidence)}
ROWS = 250
"""About as many rows as the table of the command has; a row is refuted only by an interval that covers with theirs."""


@cache
def swept(job: str) -> tuple[xr.Dataset, xr.Dataset]:
    """The sweep of a job and its theory."""
    url = f"memory://claims-{job}.zarr"
    sweepengine.run(job_path(job), url, executor="inline")
    return sweepengine.open_sweep(url), sweepengine.open_theory(url)


@cache
def part(name: str) -> Part:
    claim, evidence = EVIDENCE[name]
    decision = analysis.decide(claim, {job: swept(job) for job in claim.jobs})
    return decision.parts[claim.evidence.index(evidence)]


@pytest.mark.parametrize("name", EVIDENCE)
def test_claims_hold_on_their_job(name: str) -> None:
    """The limit's interval is far wider than that at these widths; with it sharp claims of small jobs are undecided."""
    _, evidence = EVIDENCE[name]
    rows = part(name).rows
    assert {row.observable.split("/")[0] for row in rows} == {each.quantity.name for each in evidence.expected}
    for row in rows:
        assert row.measured is not None, row
        place = row.observable.partition("/")[2]
        together = row.expectation.judge(row.sample, row.setting, place, ROWS).verdict
        verdicts = {row.verdict, together}
        assert verdicts == {"none"} if row.kind == "remark" else verdicts & {"holds", "undecided"}, row
        if row.kind == "sharp" and row.sample.fit is not None:
            # The interval at these widths is short, lies near the expected exponent and far from its neighbours.
            line = row.sample.fit.exponent_at_these_widths
            for shift, inside in ((0.0, True), (-0.5, False), (0.5, False)):
                near = line.low - 0.05 <= row.expected + shift <= line.high + 0.05
                assert near == inside, row


@pytest.mark.parametrize("name", EVIDENCE)
def test_the_twins_of_claims_refute_them(name: str) -> None:
    assert part(name).twin_is_caught, part(name).twin_rows


def test_every_file_is_a_claim_and_names_a_job_of_its_kind() -> None:
    assert [claim.id.replace("-", "_") for claim in analysis.CLAIMS] == [
        each.name for each in iter_modules(claims.__path__)
    ]
    for name, (claim, evidence) in EVIDENCE.items():
        assert set(evidence.jobs) <= set(job_names()), name
        assert {read_spec(job_path(job)).kind for job in evidence.jobs} == {evidence.of}, name
        assert claim.source, name
        assert all(each.source for each in evidence.expected), name


CLAIM = """
from sweepengine.analysis import _claim, _expectations, _quantities, _reductions

ROWS = _quantities.Quantity(
    "rows", _reductions.supremum("movement_row_max", "layer"), "movement of rows", "x", "of a test"
)
CLAIM = _claim.Claim(
    "row-max",
    "A claim of a test.",
    (
        _claim.Evidence(
            "quickstart",
            (
                _expectations.Exponent(
                    ROWS, "sharp", lambda s, layer: layer == "W1", lambda s, _: 1 - s.gamma, "nowhere"
                ),
            ),
            twin=lambda sweep: sweep,
            says_twin="none",
            anywhere=True,
        ),
    ),
    source="of a test",
)
"""
PROGRAM = """
from sweepengine import analysis
from tests.support.synthetic import make_sweep

ds, _ = make_sweep(widths=(8, 16, 32), seeds=3)
summary = analysis.summarise(ds)
print(*((c.group, c.observable, c.expected_text) for c in summary.claims if c.id == "row-max"))
paths = analysis.write_report(ds, "report")
print("row-max" in paths.html.read_text(), "movement of rows, W1" in paths.markdown.read_text())
print("rows" in analysis.summarise(ds.drop_vars("movement_row_max")).groups[0].failures)
"""


def test_a_claim_is_added_by_adding_its_file(tmp_path: Path) -> None:
    """A file in a copy of the package: its own quantity over its own dim, in summary and report, and nowhere else."""
    root = Path(__file__).parents[2]
    for folder in ("sweepengine", "tests/support"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))

    def printed() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})

    file = tmp_path / "sweepengine" / "analysis" / "claims" / "row_max.py"
    file.write_text(CLAIM)
    found = printed()
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        "('ntk', 'rows/W1', '−1/2') ('mean_field', 'rows/W1', '0')",
        "True True",
        "False",
    ]
    file.rename(file.with_name("another.py"))
    assert "claims/another.py holds the claim 'row-max'" in printed().stderr
    file.with_name("another.py").unlink()
    file.write_text(CLAIM.replace('"rows"', '"kernel_drift"'))
    assert "two quantities are called kernel_drift" in printed().stderr


def test_what_the_analysis_says_of_kinds_resolves() -> None:
    from pkgutil import resolve_name

    assert {"computation", "networks", "particles"} <= {kind.name for kind in kinds()}
    for kind in kinds():
        findings = findings_of(kind.name)
        assert isinstance(findings, analysis.Findings)
        assert findings.claims
        for name in (*findings.headlines, *([findings.level] if findings.level else [])):
            assert findings.quantity(name).name == name
        for reference in findings.further_figures:
            assert callable(resolve_name(reference))
    with pytest.raises(
        analysis.ContractError, match=r"'trees', which is not known here; kinds with findings are .*networks"
    ):
        findings_of("trees")


def test_the_classes_of_cross_entropy_keep_the_exponents() -> None:
    """Rows general-cost and mf-move for ten outputs, at half the job's widths and seeds."""
    job = yaml.safe_load(job_path("ten_digits").read_text())
    small = {"scaling": ["ntk", "mean_field"], "width": [64, 128, 256, 512], "seed": 2}
    sweepengine.run(job | {"axes": small}, "memory://claims-ten.zarr", executor="inline")
    sweep = sweepengine.open_sweep("memory://claims-ten.zarr").load()
    assert sweep.outputs_test.sizes["output"] == 10
    for scaling, drift, movement in (("ntk", -1.0, -0.5), ("mean_field", 0.0, 0.0)):
        runs = sweep.isel(run=np.flatnonzero(sweep.scaling == scaling))
        for name, exponent in (("kernel_drift", drift), ("movement_total", movement)):
            means = runs[name].max("record").groupby("width").mean()
            assert float(np.polyfit(np.log(means.width), np.log(means), 1)[0]) == pytest.approx(exponent, abs=0.15), (
                name
            )
    accuracy = (sweep.outputs_test.argmax("output") == sweep.targets_test.argmax("output")).mean("test")
    assert float(accuracy.isel(record=-1).min()) > 0.4 > 0.25 > float(accuracy.isel(record=0).mean())
