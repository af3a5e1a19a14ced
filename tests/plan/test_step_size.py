"""The automatic step against the largest eigenvalue of a kernel made from explicit Jacobians, by autograd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from sweepengine.data import load
from sweepengine.errors import SpecError
from sweepengine.networks import initialise
from sweepengine.plan import make_plan
from sweepengine.spec import SweepSpec, make_spec
from sweepengine.store import SweepStore
from tests.support.networks_reference import Oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.spec import Run

    Tiny = Callable[..., dict[str, Any]]

WIDTH, SEED = 4096, 0
"""Of the reference network: docs/architecture.md and the docstring of ``plan`` promise them."""


def runs_of(content: dict[str, Any]) -> list[Run]:
    plan = make_plan(make_spec(content), SweepStore("memory://nothing-is-written.zarr"))
    return list(plan.runs)  # type: ignore[arg-type]


def kernel(content: dict[str, Any], run: Run, still: str) -> NDArray[np.float64]:
    """Θ_0 = J Jᵀ of the reference network of one output, over all parameters but those named to stand still."""
    spec, a = make_spec(content), run.architecture
    assert isinstance(spec, SweepSpec)
    x = torch.from_numpy(load(spec.data).x_train)
    parameters = initialise(a, [WIDTH] * a.depth, x.shape[1], SEED, torch.float64)
    found: NDArray[np.float64] = Oracle(a, parameters, 0.5, 1.0, dict.fromkeys(still.split(), 0.0)).kernel(x).numpy()
    return found


@pytest.mark.parametrize(
    ("changes", "still"),
    [
        ({}, ""),
        ({"network": {"activation": "relu", "sigma_w": 2**0.5, "sigma_b": 0.3}}, ""),
        ({"network": {"trained": "last_layer"}}, "W0"),
        ({"data": {"classes": [1, 3, 8]}}, ""),  # Θ_0 of k outputs tends to Θ_∞ ⊗ I_k
    ],
)
def test_a_step_is_a_quarter_of_what_the_largest_eigenvalue_allows(
    tiny: Tiny, changes: dict[str, Any], still: str
) -> None:
    time = 500.0
    content = tiny(**changes)
    content["training"] |= {"step_size": "auto", "time": time}
    runs = runs_of(content)
    theta = kernel(content, runs[0], still)
    points, largest = len(theta), float(np.linalg.eigvalsh(theta)[-1])
    for run in runs:  # of every width and scaling
        assert run.n_steps == math.ceil(4 * time * largest / points)
        assert run.step_size == pytest.approx(time / run.n_steps)
    # Steps of gradient descent on the linearised network shrink every mode; nine times as long they would not.
    step = runs[0].step_size
    modes = np.linalg.eigvalsh(np.eye(points) - step * theta / points)
    assert 0.74 < modes.min() < modes.max() <= 1
    assert np.abs(np.linalg.eigvalsh(np.eye(points) - 9 * step * theta / points)).max() > 1


def test_a_short_time_takes_one_step_at_least(tiny: Tiny) -> None:
    content = tiny(training={"step_size": "auto", "time": 1e-6, "records": {"count": 2}})
    assert {(run.n_steps, run.step_size) for run in runs_of(content)} == {(1, 1e-6)}


def test_each_architecture_has_its_own_step(tiny: Tiny) -> None:
    content = tiny(axes={"activation": ["tanh", "relu"], "width": [8]}, training={"step_size": "auto", "time": 50.0})
    del content["network"]["activation"]
    steps = {run.architecture.activation: run.n_steps for run in runs_of(content)}
    assert len(set(steps.values())) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": {"step_size": "auto", "time": 1e9}},
            r"training\.time: 1e\+09 takes \d{8,} steps, more than the 10000000",
        ),
        (
            {"training": {"step_size": "auto"}, "network": {"activation": "quadratic", "sigma_w": 1e12, "depth": 3}},
            r"network: the kernel at t = 0 is not finite with these settings; take smaller sigma_w, sigma_a or depth",
        ),
        ({"training": {"step_size": 0.3}}, r"training\.step_size: found 0\.3, but time / step_size = 16\.6667"),
    ],
)  # fmt: skip
def test_steps_that_cannot_be_are_refused(tiny: Tiny, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        runs_of(tiny(**changes))
