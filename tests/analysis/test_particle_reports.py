"""Summaries and reports of particles: propagation of chaos, the cloud, the figure of the functional."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest
import torch

import sweepengine
from sweepengine import analysis
from sweepengine import particles as pt
from sweepengine.data import load
from sweepengine.spec import ParticleSpec, make_spec
from tests.support.browser import needs_chromium
from tests.support.pages import Page, acted_upon
from tests.support.particle_sweeps import TEACHER, WELLS, changed

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sweep_of_which_nothing_is_done_has_a_summary(tmp_path: Path) -> None:
    content = changed(WELLS, functional={"terms": [{"term": "quadratic", "strength": -1e9}]})
    assert sweepengine.run(content, tmp_path / "x.zarr", executor="inline").diverged == 2
    found = analysis.summarise(sweepengine.open_sweep(tmp_path / "x.zarr"))
    assert all(claim.verdict == "undecided" for claim in found.claims)
    assert found.counts["diverged"] == 2


def test_the_report_shows_chaos_propagate_and_the_cloud(tmp_path: Path) -> None:
    content = changed(TEACHER, axes={"width": [16, 32, 64, 128], "seed": 3})
    sweepengine.run(content, tmp_path / "cloud.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "cloud.zarr")
    [group] = analysis.summarise(sweep).groups
    fit = group.fits["chaos_particles"]
    assert list(fit.widths) == [16, 32, 64]
    assert {claim.id for claim in analysis.summarise(sweep).claims} == {"mf-limit"}
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    risk = pt.Risk(pt.Neuron(4, "relu"), torch.from_numpy(data.x_train), torch.from_numpy(data.y_train))
    means = np.zeros(3)
    for seed in range(3):
        cloud = pt.gaussian_cloud(seed, 128, 5)
        cloud[:, 4] = cloud[:, 4].sign()
        others = [pt.Scaled(pt.quadratic(), 0.01)]
        couplings = pt.couple(risk, cloud, [16, 32, 64], step_size=0.1, steps=20, others=others)
        means += [each.distance / 3 for each in couplings]
    np.testing.assert_allclose(fit.means, means, rtol=1e-12)
    # Clouds that are not nested are apart at every width, so the pairing by seeds is seen.
    apart = sweep.load().assign_coords(seed=("run", np.where(sweep.width == 128, (sweep.seed + 1) % 3, sweep.seed)))
    mixed = analysis.summarise(apart).groups[0].fits["chaos_particles"]
    assert min(mixed.means) > 5 * fit.means[-1]
    paths = analysis.write_report(sweep, tmp_path / "report")
    page, found = paths.html.read_text(), json.loads(paths.json.read_text())
    assert "The cloud from the start to the end" in page
    assert page.count('id="fig-cloud-') == 3  # the data of its frames
    charts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.DOTALL)
    assert len(charts) > 2
    for chart in charts:
        alt.Chart.from_dict(json.loads(chart), validate=True)
    assert len(found["finished_runs"]) == 12
    assert found["groups"][0]["loss_test"]["width"] == 128
    assert "distance of particles to the widest" in paths.markdown.read_text()


def test_the_widest_cloud_is_missed_by_no_one(tmp_path: Path) -> None:
    terms = {"terms": [{"term": "gaussian"}]}
    content = changed(WELLS, functional=terms, dynamics={"method": "euler"}, axes={"width": [16, 32, 64]})
    sweepengine.run(content, tmp_path / "w.zarr", executor="inline")
    [group] = analysis.summarise(sweepengine.open_sweep(tmp_path / "w.zarr")).groups
    assert group.failures["chaos_particles"].startswith(
        "The widest, 64, is what they are compared with. Found 2 widths [16, 32]"
    )


def test_a_sweep_without_a_risk_has_a_report(tmp_path: Path) -> None:
    sweepengine.run(changed(WELLS, axes={"temperature": [0.0, 0.5]}), tmp_path / "w.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "w.zarr")
    assert [group.label for group in analysis.summarise(sweep).groups] == ["mean_field, τ = 0", "mean_field, τ = 0.5"]
    page = analysis.write_report(sweep, tmp_path / "report").html.read_text()
    assert page.count("The cloud from the start to the end") == 2


def test_rows_of_propagation_of_chaos_say_why_they_are_empty(tmp_path: Path) -> None:
    claimed: dict[str, set[str]] = {}

    def reasons(name: str, content: dict[str, Any]) -> dict[str, str]:
        sweepengine.run(content, tmp_path / f"{name}.zarr", executor="inline")
        summary = analysis.summarise(sweepengine.open_sweep(tmp_path / f"{name}.zarr"))
        claimed[name] = {claim.observable for claim in summary.claims}
        return summary.groups[0].failures

    widths = {"width": [4, 8, 16, 32]}
    alone = reasons("alone", changed(WELLS, axes=widths))
    assert alone["chaos_outputs"].startswith("No term of the functional is a risk")
    assert alone["chaos_particles"].startswith("No particle acts on another")
    still = changed(TEACHER, axes=widths, functional={"terms": [{"term": "risk", "cost": "mse", "strength": 0.0}]})
    [still_reason] = reasons("still", still).values()  # the outputs of other numbers of particles do differ
    assert still_reason == alone["chaos_particles"]
    unseen = reasons("unseen", changed(TEACHER, axes=widths, observables=["objective"]))
    assert unseen["chaos_outputs"] == "outputs_test was not recorded; name it under the sweep's observables."
    assert "set dynamics.snapshots to 2 or more" in unseen["chaos_particles"]
    blind = reasons("blind", changed(WELLS, axes=widths, observables=["objective"]))
    assert blind["chaos_particles"] == alone["chaos_particles"]  # snapshots would not help
    single = reasons("single", changed(TEACHER, axes={"width": [8]}))
    assert set(single.values()) == {
        "No finished run has a wider one of its seed to be compared with; add widths under axes."
    }
    pairs = changed(WELLS, axes=widths, functional={"terms": [{"term": "attraction"}]})
    assert "chaos_particles" not in reasons("pairs", pairs)
    # Nothing is claimed where the claim has no object.
    assert (claimed["alone"], claimed["pairs"]) == (set(), {"chaos_particles"})
    assert claimed["unseen"] == {"chaos_outputs", "chaos_particles"}


@pytest.mark.parametrize(("term", "scale"), [("riesz", "linear"), ("double_well", "log")])
def test_a_functional_below_zero_has_a_figure_of_all_its_values(tmp_path: Path, term: str, scale: str) -> None:
    content = changed(WELLS, functional={"terms": [{"term": term}]}, dynamics={"method": "euler"})
    sweepengine.run(content, tmp_path / "x.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "x.zarr")
    assert bool((sweep.objective < 0).all()) == (scale == "linear")
    page = analysis.write_report(sweep, tmp_path / "report").html.read_text()
    charts = [
        json.loads(text) for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    ]
    [chart] = [chart for chart in charts if "F" in str(chart.get("description", ""))[:1]]
    alt.Chart.from_dict(chart, validate=True)
    for layer in chart["layer"]:  # the band, and the line
        assert layer["encoding"]["y"]["scale"]["type"] == scale
        low, high = layer["encoding"]["y"]["scale"]["domain"]
    values = [row["value"] for row in chart["data"]["values"]]
    assert len(values) == 5  # t = 0 is not on a logarithmic axis
    assert low < min(values) <= max(values) < high
    assert ("The time axis is logarithmic" in page) == (scale == "linear")


def test_a_functional_that_is_the_risk_has_one_figure(tmp_path: Path) -> None:
    content = changed(TEACHER, functional={"terms": [{"term": "risk", "cost": "mse"}]})
    sweepengine.run(content, tmp_path / "x.zarr", executor="inline")
    page = analysis.write_report(sweepengine.open_sweep(tmp_path / "x.zarr"), tmp_path / "report").html.read_text()
    assert 'id="fig-loss_train-time"' in page
    assert 'id="fig-objective-time"' not in page  # with a further term it has one: the test above


SLIDES = """
  const figure = document.getElementById("fig-cloud"), slider = figure.querySelector("input");
  const seen = () => [[...figure.querySelectorAll(".panel")]
    .filter((each) => getComputedStyle(each).visibility === "visible")
    .map((each) => each.querySelector("h4").textContent), slider.getAttribute("aria-valuetext")];
  const before = seen();
  slider.focus();
  const focused = document.activeElement === slider;
  slider.value = slider.max;
  slider.dispatchEvent(new Event("input"));
  return [before, focused, slider.labels[0].textContent.trim(), seen()];
"""


@needs_chromium
def test_the_cloud_is_seen_at_the_time_of_its_slider(tmp_path: Path) -> None:
    dynamics = TEACHER["dynamics"] | {"snapshots": 20, "records": {"spacing": "every", "k": 1}}
    sweepengine.run(changed(TEACHER, dynamics=dynamics), tmp_path / "x.zarr", executor="inline")
    written = analysis.write_report(sweepengine.open_sweep(tmp_path / "x.zarr"), tmp_path / "report")
    (start, focused, label, end), said = acted_upon(written.html, tmp_path / "browser", SLIDES, 400)
    assert start == [["t = 0"], "t = 0"]
    assert (focused, label) == (True, "Time")
    assert end == [["t = 2"], "t = 2"]
    assert "CONSOLE" not in said
    page = Page(written.html.read_text())
    panels = [
        (attrs["class"] or "").split()
        for tag, attrs in page.elements
        if tag == "div" and "panel" in (attrs.get("class") or "").split()
    ]
    frames = [each for each in panels if "shown" in each or "printed" in each]
    assert sum("printed" in each for each in frames) == 6  # of 12, the first and the last among them
    assert "12 of 20 snapshots" in page.text
