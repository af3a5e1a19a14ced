"""The values of the chosen variables of a cloud of particles at one record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from sweepengine.observe._particle_variables import TEST_FUNCTIONS
from sweepengine.particles import TEST_FUNCTIONS as FUNCTIONS
from sweepengine.particles import (
    Distance,
    Functional,
    Neuron,
    Noise,
    Partition,
    Risk,
    dissipation,
    kernel,
    kernel_bytes,
    moments,
    participation,
    shares,
    stationarity_gap,
    wasserstein,
    weak_form_defects,
)
from sweepengine.transport import EXACT_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")

DIRECTIONS = 100
"""Random directions of a sliced distance."""


@dataclass(frozen=True)
class Problem:
    """What a cloud flows in.

    Attributes
    ----------
    functional : Functional
        On the stored training points.
    train, test : Risk or None
        The risk's own outputs and costs there, without strength; None without a risk.
    step_size : float
    start : callable
        Makes the cloud at t = 0, shape (m, p).
    noise : Noise or None
        That of the flow, where it has a temperature.
    grid : Tensor or None, shape (g, p)
        Points of the first variation, where a variable needs them.
    reference : Tensor of float64 or None, shape (n, p)
        Where a variable measures to it.
    passes : Partition
    """

    functional: Functional
    train: Risk | None
    test: Risk | None
    step_size: float
    start: Callable[[], Tensor]
    noise: Noise | None
    grid: Tensor | None
    reference: Tensor | None
    passes: Partition


class Moment:
    """A cloud at one step, with everything that can be said of it, made when it is first asked for.

    Parameters
    ----------
    cloud : Tensor, shape (m, p)
        Not changed, and not kept after the record.
    problem : Problem
    step : int
        Steps that lie behind it.
    """

    def __init__(self, cloud: Tensor, problem: Problem, step: int) -> None:
        self.cloud, self.problem, self.step = cloud, problem, step

    @cached_property
    def values(self) -> list[float]:
        """The terms of F₀."""
        return self.problem.functional.values(self.cloud, self.problem.passes)

    @property
    def objective(self) -> float:
        """F₀; NaN or infinite where a term is."""
        return math.fsum(self.values) if all(map(math.isfinite, self.values)) else math.nan

    @cached_property
    def whole(self) -> Tensor:
        """All shards' particles: an assignment needs them in one place."""
        passes = self.problem.passes
        return self.cloud if passes.reduce is None else passes.everyone(self.cloud)

    @cached_property
    def dissipation(self) -> float:
        """∫‖∇δF₀/δμ‖² dμ."""
        return dissipation(self.problem.functional, self.cloud, self.problem.passes)

    @cached_property
    def outputs_train(self) -> Tensor:
        """f_μ on the training points, float64, shape (N,)."""
        return _given(self.problem.train).outputs(self.cloud, self.problem.passes)

    @cached_property
    def outputs_test(self) -> Tensor:
        """f_μ on the test points, float64, shape (N_test,)."""
        return _given(self.problem.test).outputs(self.cloud, self.problem.passes)

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (p,) and covariance (p, p)."""
        return moments(self.cloud, self.problem.passes)

    @cached_property
    def kernel(self) -> Tensor:
        """The mean-field kernel on the training points, float64, shape (N, N)."""
        risk = _given(self.problem.train)
        if not isinstance(risk.unit, Neuron):
            raise TypeError(f"found a unit of {type(risk.unit).__name__}; the kernel is that of neurons")
        need = kernel_bytes(len(risk.inputs)) * self.problem.passes.threads
        return kernel(risk.unit, risk.inputs, self.cloud, self.problem.passes, memory_bytes=need)


def _given(found: T | None) -> T:
    """What a plan has seen to: a risk where outputs are asked for, a grid or a reference where one is."""
    if found is None:
        raise AssertionError("a variable is refused where what it needs is not there")
    return found


class Recorder:
    """Measures the chosen variables of a cloud.

    Parameters
    ----------
    names : sequence of str
        Variables of :data:`sweepengine.observe.PARTICLE_VARIABLES`.
    problem : Problem
    """

    def __init__(self, names: Sequence[str], problem: Problem) -> None:
        self._names, self._problem = tuple(names), problem

    @cached_property
    def _start(self) -> Moment:
        return Moment(self._problem.start(), self._problem, 0)

    def measure(self, now: Moment, *, snapshot: bool) -> dict[str, NDArray[np.floating]]:
        """The chosen variables at one record, those of snapshots only where it is one.

        Returns
        -------
        dict of ndarray
            Variable → value, of the variable's dims without ``run`` and ``record`` or ``snapshot``.
        """
        found: dict[str, NDArray[np.floating]] = {}
        sliced: dict[str, Distance] = {}
        for name in self._names:
            if name == "particles":
                if snapshot:
                    found[name] = now.cloud.cpu().numpy()
            elif name.startswith("sliced_w2_"):
                to = name.removeprefix("sliced_w2_").removesuffix("_error")
                if to not in sliced:
                    sliced[to] = self._sliced(now, to)
                found[name] = np.asarray(sliced[to].standard_error if name.endswith("_error") else sliced[to].value)
            else:
                found[name] = np.asarray(self._one(name, now))
        return found

    def _sliced(self, now: Moment, to: str) -> Distance:
        """To the start, of which each shard has its part, or to the reference, which every worker has whole."""
        mine = self._problem.passes
        other, divided = (self._start.cloud, mine) if to == "start" else (_given(self._problem.reference), None)
        return wasserstein(now.cloud, other, method="sliced", directions=DIRECTIONS, shards=(mine, divided))

    def _one(self, name: str, now: Moment) -> float | Tensor:
        if name in _ALONE:
            return _ALONE[name](now)
        return _AGAINST_START[name](now, self._start)


def _energy_defect(now: Moment) -> float:
    """theory.md §4 wgf-energy, over one step: it needs no memory of the flow, so a resumed run has the same."""
    functional, passes, dt = now.problem.functional, now.problem.passes, now.problem.step_size
    after = now.cloud + dt * functional.velocity(now.cloud, passes)
    return (functional.value(after, passes) - now.objective) / dt + now.dissipation


def _weak_form_defect(now: Moment) -> Tensor:
    """theory.md §4 wgf-weak, over one step: without memory of the flow too, the noise being a function of the step."""
    problem = now.problem
    tests = {name: FUNCTIONS[name] for name in TEST_FUNCTIONS}
    dt, noise, passes = problem.step_size, problem.noise, problem.passes
    found = weak_form_defects(problem.functional, tests, now.cloud, now.step, dt, noise, passes)
    return torch.tensor(found, dtype=torch.float64)


def _first_variation(now: Moment) -> Tensor:
    problem = now.problem
    return problem.functional.first_variation(_given(problem.grid), now.cloud, problem.passes)


def _stationarity_gap(now: Moment) -> float:
    problem = now.problem
    return stationarity_gap(problem.functional, now.cloud, _given(problem.grid), problem.passes)


def _participation(now: Moment) -> float:
    each = shares(_given(now.problem.train), now.cloud, now.problem.passes)
    some = float(now.problem.passes.mean(len(each), lambda chunk: (each[chunk] > 0).sum().reshape(1))) > 0
    return participation(each, now.problem.passes) if some else math.nan  # nobody takes part where every output is 0


def _displacement(now: Moment, start: Moment) -> float:
    def part(chunk: slice) -> Tensor:
        return (now.cloud[chunk] - start.cloud[chunk]).square().sum().reshape(1)

    return math.sqrt(float(now.problem.passes.mean(len(now.cloud), part)))


def _exact(now: Moment, start: Moment) -> float:
    if now.problem.passes.count(now.cloud) > EXACT_COUNT:
        return math.nan
    return _one_to_one(now.whole, start.whole)


def _one_to_one(first: Tensor, second: Tensor) -> float:
    line = first.shape[1] == 1
    return wasserstein(first, second, method="sorted" if line else "exact").value


def _kernel_drift(now: Moment, start: Moment) -> float:
    size = float(start.kernel.norm())
    return float((now.kernel - start.kernel).norm()) / size if size else math.nan


_ALONE: dict[str, Callable[[Moment], float | Tensor]] = {
    "loss_train": lambda now: _given(now.problem.train).value_of(now.outputs_train),
    "loss_test": lambda now: _given(now.problem.test).value_of(now.outputs_test),
    "outputs_train": lambda now: now.outputs_train,
    "outputs_test": lambda now: now.outputs_test,
    "objective": lambda now: now.objective,
    "terms": lambda now: torch.tensor(now.values, dtype=torch.float64),
    "dissipation": lambda now: now.dissipation,
    "energy_defect": _energy_defect,
    "mean": lambda now: now.moments[0],
    "deviation": lambda now: now.moments[1].diagonal().clamp_min(0).sqrt(),
    "participation": _participation,
    "kernel": lambda now: now.kernel,
    "stationarity_gap": _stationarity_gap,
    "weak_form_defect": _weak_form_defect,
    "first_variation": _first_variation,
    "w2_reference": lambda now: _one_to_one(now.whole, _given(now.problem.reference)),
}
_AGAINST_START: dict[str, Callable[[Moment, Moment], float | Tensor]] = {
    "displacement": _displacement,
    "w2_start": _exact,
    "kernel_drift": _kernel_drift,
}
