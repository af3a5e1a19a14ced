"""Plans of sweeps whose axes list values of settings: the runs are those of the plain sweeps, under the same ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sweepengine.errors import SpecError
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.axes import SWEPT, fixed, swept
from tests.support.particle_sweeps import TEACHER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sweepengine.plan import Plan

    Tiny = Callable[..., dict[str, Any]]


def planned(content: dict[str, Any]) -> Plan:
    return make_plan(make_spec(content), SweepStore("memory://nothing-is-written.zarr"))


def ids(plan: Plan) -> list[str]:
    return [run.id for run in plan.runs]


def test_a_run_that_an_axis_reaches_has_the_id_that_its_setting_gives(tiny: Tiny) -> None:
    found = ids(planned(swept(tiny, **SWEPT)))
    expected = [
        ids(planned(fixed(tiny, n_train=n, sigma_b=bias, step_size=step)))
        for bias in (0.0, 0.5)
        for step in (0.25, 0.5)
        for n in (6, 12)
    ]
    assert found == [each for plain in expected for each in plain]
    assert len(set(found)) == 8 * 4


@pytest.mark.parametrize(
    "axes", [{"d": [3, 5]}, {"data_seed": [0, 1]}, {"sigma_w": [1.0, 1.4]}, {"data_noise": [0.0, 0.5]}]
)
def test_every_axis_changes_every_run(tiny: Tiny, axes: dict[str, Any]) -> None:
    plan = planned(swept(tiny, **axes))
    [(axis, values)] = axes.items()
    assert ids(plan) == [each for value in values for each in ids(planned(fixed(tiny, **{axis: value})))]
    assert len(plan.data) == (1 if axis == "sigma_w" else 2)


def test_blocks_of_unlike_settings_stand_side_by_side_and_say_their_values(tiny: Tiny) -> None:
    plan = planned(swept(tiny, **SWEPT))
    assert len(plan.new_blocks) == 8
    for block in plan.new_blocks:
        assert {name: block.axes[name] for name in SWEPT} == {
            "n_train": block.shape.sizes["i"],
            "sigma_b": block.runs[0].architecture.sigma_b,  # type: ignore[attr-defined]
            "step_size": block.runs[0].step_size,
        }
        assert len({run.data_id for run in block.runs}) == 1
        assert len(plan.data_of(block.runs[0]).y_train) == block.shape.sizes["i"]
    assert len(plan.limits) == 8
    predictions = plan.predictions()
    for limit, run in plan.limits.items():
        assert predictions[limit]["ntk_train"].values.shape == (len(plan.data_of(run).y_train),) * 2


def test_the_automatic_step_size_is_that_of_the_own_data_and_architecture(tiny: Tiny) -> None:
    content = swept(tiny, n_train=[6, 12], sigma_b=[0.0, 2.0])
    content["training"]["step_size"] = "auto"
    plan = planned(content)
    sizes = {
        (len(plan.data_of(run).y_train), run.architecture.sigma_b): run.n_steps  # type: ignore[attr-defined]
        for run in plan.runs
    }
    for (n, bias), steps in sizes.items():
        plain = fixed(tiny, n_train=n, sigma_b=bias)
        plain["training"]["step_size"] = "auto"
        assert {run.n_steps for run in planned(plain).runs} == {steps}
    assert len(set(sizes.values())) > 2


def test_values_that_mean_one_run_give_it_once(tiny: Tiny) -> None:
    content = swept(tiny, step_size=["auto", 0.25])
    content["training"]["time"] = 0.5  # two steps of 0.25
    content["training"]["records"] = {"spacing": "every", "k": 1}
    auto = planned(content).runs[0].step_size
    content["axes"]["step_size"] = ["auto", auto]
    assert len(planned(content).runs) == 4


def test_costs_are_those_of_the_plain_sweeps_together(tiny: Tiny) -> None:
    whole = planned(swept(tiny, n_train=[6, 12]))
    plain = [planned(fixed(tiny, n_train=n)) for n in (6, 12)]
    assert whole.disk_bytes() == sum(each.disk_bytes() for each in plain)
    assert whole.memory_bytes() == max(each.memory_bytes() for each in plain)
    assert whole.file_count() > max(each.file_count() for each in plain)


def test_given_weights_are_those_of_every_plain_sweep(tiny: Tiny, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "w.npz", W0=rng.standard_normal((8, 64)), W1=rng.standard_normal(8))
    content = swept(tiny, n_train=[6, 12], step_size=[0.25, 0.5])
    content["network"]["weights"] = str(tmp_path / "w.npz")
    plan = planned(content)
    assert len(plan.given) == 1
    assert {run.architecture.weights for run in plan.runs} == {plan.given[0].id}  # type: ignore[attr-defined]


def test_many_runs_are_refused_before_any_data_are_drawn(tiny: Tiny) -> None:
    with pytest.raises(SpecError, match=r"^axes: they give 240000 runs, more than the 200000"):
        planned(swept(tiny, data_seed=list(range(60_000))))


def test_particles_on_several_sets_of_data(tiny: Tiny) -> None:
    del tiny
    content: dict[str, Any] = {**TEACHER, "axes": TEACHER["axes"] | {"n_train": [10, 20]}}
    content["data"] = {key: value for key, value in TEACHER["data"].items() if key != "n_train"}
    expected = [ids(planned(TEACHER | {"data": TEACHER["data"] | {"n_train": n}})) for n in (10, 20)]
    assert ids(planned(content)) == [each for plain in expected for each in plain]
    with pytest.raises(SpecError, match=r"^axes: n_train give several sets of grid points, of which one store has one"):
        planned(content | {"observables": ["objective", "first_variation"]})
