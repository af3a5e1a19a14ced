"""Functions that measure the observables of particles, from the moment now and the moment at t = 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

import sweepengine.particles as pt
from sweepengine.observe._cloud_moment import given
from sweepengine.observe._shared import shared
from sweepengine.observe.cloud_costs import TEST_FUNCTIONS
from sweepengine.transport import EXACT_COUNT

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._cloud_moment import CloudMoment
    from sweepengine.particles import Distance

DIRECTIONS = 100
"""Random directions of a sliced distance."""


def loss_train(now: CloudMoment, _: CloudMoment) -> float:
    return given(now.problem.train).value_of(now.outputs_train)


def loss_test(now: CloudMoment, _: CloudMoment) -> float:
    return given(now.problem.test).value_of(now.outputs_test)


def terms(now: CloudMoment, _: CloudMoment) -> Tensor:
    return torch.tensor(now.values, dtype=torch.float64)


def energy_defect(now: CloudMoment, _: CloudMoment) -> float:
    """The energy's defect in one step (theory.md §5.4). It needs no earlier state: a resumed run measures the same."""
    functional, partition, dt = now.problem.functional, now.problem.partition, now.problem.step_size
    after = now.cloud + dt * functional.velocity(now.cloud, partition)
    return (functional.value(after, partition) - now.objective) / dt + now.dissipation


def weak_form_defect(now: CloudMoment, _: CloudMoment) -> Tensor:
    """The weak form over one step (theory.md §5.4). It needs no earlier state: the step's number fixes the noise."""
    problem = now.problem
    tests = {name: pt.TEST_FUNCTIONS[name] for name in TEST_FUNCTIONS}
    dt, noise, partition = problem.step_size, problem.noise, problem.partition
    defects = pt.weak_form_defects(problem.functional, tests, now.cloud, now.step, dt, noise, partition)
    return torch.tensor(defects, dtype=torch.float64)


def first_variation(now: CloudMoment, _: CloudMoment) -> Tensor:
    problem = now.problem
    return problem.functional.first_variation(given(problem.grid), now.cloud, problem.partition)


def stationarity_gap(now: CloudMoment, _: CloudMoment) -> float:
    problem = now.problem
    return pt.stationarity_gap(problem.functional, now.cloud, given(problem.grid), problem.partition)


def participation(now: CloudMoment, _: CloudMoment) -> float:
    """(Σ s)²/(m Σ s²) with the shares s of the particles in the outputs; NaN if all shares are 0."""
    shares = pt.shares(given(now.problem.train), now.cloud, now.problem.partition)
    some = float(now.problem.partition.mean(len(shares), lambda chunk: (shares[chunk] > 0).sum().reshape(1))) > 0
    return pt.participation(shares, now.problem.partition) if some else math.nan


def displacement(now: CloudMoment, start: CloudMoment) -> float:
    def part(chunk: slice) -> Tensor:
        return (now.cloud[chunk] - start.cloud[chunk]).square().sum().reshape(1)

    return math.sqrt(float(now.problem.partition.mean(len(now.cloud), part)))


@shared
def _sliced_to_start(now: CloudMoment, start: CloudMoment) -> Distance:
    """Sliced W₂ to the start; every shard holds its part of both clouds."""
    mine = now.problem.partition
    return pt.wasserstein(now.cloud, start.cloud, method="sliced", directions=DIRECTIONS, shards=(mine, mine))


@shared
def _sliced_to_reference(now: CloudMoment, _: CloudMoment) -> Distance:
    """Sliced W₂ to the reference, which every worker holds whole."""
    mine, reference = now.problem.partition, given(now.problem.reference)
    return pt.wasserstein(now.cloud, reference, method="sliced", directions=DIRECTIONS, shards=(mine, None))


def sliced_w2_start(now: CloudMoment, start: CloudMoment) -> float:
    return _sliced_to_start(now, start).value


def sliced_w2_start_error(now: CloudMoment, start: CloudMoment) -> float:
    return _sliced_to_start(now, start).standard_error


def sliced_w2_reference(now: CloudMoment, start: CloudMoment) -> float:
    return _sliced_to_reference(now, start).value


def sliced_w2_reference_error(now: CloudMoment, start: CloudMoment) -> float:
    return _sliced_to_reference(now, start).standard_error


def w2_start(now: CloudMoment, start: CloudMoment) -> float:
    if now.problem.partition.count(now.cloud) > EXACT_COUNT:
        return math.nan
    return _one_to_one(now.whole, start.whole)


def w2_reference(now: CloudMoment, _: CloudMoment) -> float:
    return _one_to_one(now.whole, given(now.problem.reference))


def _one_to_one(first: Tensor, second: Tensor) -> float:
    line = first.shape[1] == 1
    return pt.wasserstein(first, second, method="sorted" if line else "exact").value


def kernel_drift(now: CloudMoment, start: CloudMoment) -> float:
    size = float(start.kernel.norm())
    return float((now.kernel - start.kernel).norm()) / size if size else math.nan
