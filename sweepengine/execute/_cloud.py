"""From a run of particles to its start, its functional and what is measured of it."""

from __future__ import annotations

from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import torch

from sweepengine.data import fresh_points
from sweepengine.observe.measure import CloudProblem
from sweepengine.particles import (
    CallableUnit,
    EqualSteps,
    Functional,
    Neuron,
    Noise,
    Partition,
    Risk,
    Scaled,
    TermContext,
    Tolerance,
    on_device,
)
from sweepengine.plan.initial_cloud import initial_cloud, project
from sweepengine.plugins import term_function
from sweepengine.spec import UnitSpec, UserUnitSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.execute._data import Data
    from sweepengine.particles import Steps, Term, Unit
    from sweepengine.spec import ParticleRun, TermSpec


class Cloud:
    """One run's functional and clouds.

    Parameters
    ----------
    run : ParticleRun
    data : Data
        The stored points, in the precision of the run.
    partition : Partition
    rows : range
        The particles that are here.
    """

    def __init__(self, run: ParticleRun, data: Data, partition: Partition, rows: range) -> None:
        self._run, self._partition, self._rows = run, partition, rows
        self._dtype: torch.dtype = getattr(torch, run.precision)
        self._device = data.x_train.device
        self._d = data.x_train.shape[1]
        self._unit = None if run.unit is None else _unit(run.unit, self._d, self._device, self._dtype)
        self._moving = self._moving_coordinates()
        self.functional = self._functional(data.x_train, data.y_train)
        self.problem = CloudProblem(
            functional=self.functional,
            train=self._risk(data.x_train, data.y_train),
            test=self._risk(data.x_test, data.y_test),
            step_size=run.step_size,
            start=self.start,
            noise=Noise(run.seed, partition.first) if run.temperature else None,
            grid=self._points(data, "grid", self._dtype),
            reference=self._points(data, "reference", torch.float64),
            partition=partition,
        )

    def start(self) -> Tensor:
        """Draw this worker's particles at t = 0, shape (m, p), projected as the run projects them."""
        return initial_cloud(self._run, self._d, self._run.seed, self._rows).to(self._device)

    def at(self, step: int) -> Functional:
        """The functional that a step descends: of fresh points where the run draws them."""
        run = self._run
        if run.fresh is None:
            return self.functional
        x, y = (
            torch.from_numpy(each).to(self._device, self._dtype) for each in fresh_points(run.fresh, run.seed, step)
        )
        return self._functional(x, y)

    def steps(self, cloud: Tensor, control: NDArray[np.generic] | None) -> Steps:
        """The run's method at work on its particles, (m, p), with the control that an interrupted adaptive one had."""
        run, partition, tolerance = self._run, self._partition, self._run.tolerance
        if not run.time_method.adaptive:
            return EqualSteps(
                self.at,
                cloud,
                run.method,
                run.step_size,
                seed=run.seed,
                project=partial(project, run),
                partition=partition,
            )
        make: Callable[..., Steps] = resolve_name(run.time_method.use("particles").steps)
        allowed = None if tolerance is None else Tolerance(tolerance.relative, tolerance.absolute)
        state = None if control is None else control.tolist()
        return make(self.functional, cloud, run.step_size, tolerance=allowed, state=state, partition=partition)

    def _points(self, data: Data, kind: str, dtype: torch.dtype) -> Tensor | None:
        given = data.given.get(kind)
        return None if given is None else torch.from_numpy(given["points"]).to(self._device, dtype)

    def _functional(self, x: Tensor, y: Tensor) -> Functional:
        terms = [_scaled(self._term(term, x, y), term.strength) for term in self._run.terms]
        return Functional(terms, self._run.temperature, self._moving)

    def _moving_coordinates(self) -> Tensor | None:
        """Whatever pulls at them, potentials and noise included, frozen coordinates stay."""
        unit = self._run.unit
        if not isinstance(unit, UnitSpec) or unit.frozen is None:
            return None
        still = [(name == "a") == (unit.frozen == "output") for name in self._run.coordinates(self._d)]
        return (~torch.tensor(still)).to(self._device, self._dtype)

    def _term(self, term: TermSpec, x: Tensor, y: Tensor) -> Term:
        coordinates = len(self._run.coordinates(self._d))
        context = TermContext(coordinates, self._device, self._dtype, term_function, self._unit, x, y)
        built: Term = resolve_name(term.builder)(context, **term.fields())
        return built

    def _risk(self, x: Tensor, y: Tensor) -> Risk | None:
        built = (self._term(term, x, y) for term in self._run.terms if term.needs_data)
        return next((term for term in built if isinstance(term, Risk)), None)


def _unit(unit: UnitSpec | UserUnitSpec, d: int, device: torch.device, dtype: torch.dtype) -> Unit:
    if isinstance(unit, UserUnitSpec):
        return CallableUnit(term_function("unit", unit.name))
    neuron = Neuron(
        d,
        unit.activation,
        output=unit.output,
        bias=unit.bias,
        scale=unit.scale,
        input_scale=unit.input_scale,
        bias_scale=unit.bias_scale,
        frozen=unit.frozen,
    )
    return on_device(neuron, device, dtype)


def _scaled(term: Term, strength: float) -> Term:
    return term if strength == 1 else Scaled(term, strength)
