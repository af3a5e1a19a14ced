"""From a run of particles to its start, its functional and what is measured of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.data import fresh_points
from sweepengine.observe.measure_particles import Problem
from sweepengine.particles import (
    CallableKernel,
    CallableUnit,
    Discrepancy,
    Functional,
    GaussianKernel,
    Interaction,
    Neuron,
    Noise,
    Passes,
    Potential,
    QuadraticInteraction,
    RieszKernel,
    Risk,
    Scaled,
    double_well,
    gaussian_cloud,
    on_device,
    quadratic,
)
from sweepengine.plan.initial_cloud import initial_cloud, project
from sweepengine.plugins import term_function
from sweepengine.spec import (
    AttractionTerm,
    DoubleWellTerm,
    GaussianTerm,
    KernelTerm,
    PotentialTerm,
    QuadraticTerm,
    RieszTerm,
    RiskTerm,
    UnitSpec,
    UserUnitSpec,
)

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.execute._data import Data
    from sweepengine.particles import Kernel, Unit
    from sweepengine.particles import Term as ParticleTerm
    from sweepengine.spec import DiscrepancyTerm, ParticleRun, Term


class Cloud:
    """One run's functional and clouds.

    Parameters
    ----------
    run : ParticleRun
    data : Data
        The stored points, in the precision of the run.
    passes : Passes
    rows : range
        The particles that are here.
    """

    def __init__(self, run: ParticleRun, data: Data, passes: Passes, rows: range) -> None:
        self._run, self._passes, self._rows = run, passes, rows
        self._dtype: torch.dtype = getattr(torch, run.precision)
        self._device = data.x_train.device
        self._d = data.x_train.shape[1]
        self._unit = None if run.unit is None else _unit(run.unit, self._d, self._device, self._dtype)
        self._moving = self._moving_coordinates()
        self.functional = self._functional(data.x_train, data.y_train)
        self.problem = Problem(
            functional=self.functional,
            train=self._risk(data.x_train, data.y_train),
            test=self._risk(data.x_test, data.y_test),
            step_size=run.step_size,
            start=self.start,
            noise=Noise(run.seed, passes.first) if run.temperature else None,
            grid=self._points(data, "grid", self._dtype),
            reference=self._points(data, "reference", torch.float64),
            passes=passes,
        )

    def start(self) -> Tensor:
        """The particles at t = 0 that are here, shape (m, p); where the run projects them, on the set that they stay on."""
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

    def project(self, cloud: Tensor) -> None:
        """Bring particles back to where the run keeps them, in place."""
        project(self._run, cloud)

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

    def _term(self, term: Term, x: Tensor, y: Tensor) -> ParticleTerm:
        if isinstance(term, RiskTerm):
            if self._unit is None:
                raise AssertionError("a spec with a risk has a unit")
            return Risk(self._unit, x, y, term.cost)
        match term:
            case QuadraticTerm():
                return quadratic(centre=term.centre)
            case DoubleWellTerm():
                return double_well(distance=term.distance)
            case AttractionTerm():
                return QuadraticInteraction()
            case GaussianTerm():
                return Interaction(GaussianKernel(term.length))
            case RieszTerm():
                return Interaction(RieszKernel(term.power))
            case PotentialTerm():
                return Potential(term_function("potential", term.name))
            case KernelTerm():
                return Interaction(CallableKernel(term_function("kernel", term.name)))
        reference = gaussian_cloud(term.seed, term.count, len(self._run.coordinates(self._d)))
        return Discrepancy(_kernel(term), reference.mul_(term.scale).add_(term.mean).to(self._device, self._dtype))

    def _risk(self, x: Tensor, y: Tensor) -> Risk | None:
        costs = [term.cost for term in self._run.terms if isinstance(term, RiskTerm)]
        return Risk(self._unit, x, y, costs[0]) if self._unit is not None and costs else None


def _kernel(term: DiscrepancyTerm) -> Kernel:
    return GaussianKernel(term.length) if term.kernel == "gaussian" else RieszKernel(term.power)


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


def _scaled(term: ParticleTerm, strength: float) -> ParticleTerm:
    return term if strength == 1 else Scaled(term, strength)
