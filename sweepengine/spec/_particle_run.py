"""One point of a sweep of particles: a frozen value whose id is a hash of its canonical content."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, TypeAdapter

from sweepengine.errors import SpecError
from sweepengine.spec._canonical import digest, without_neutral
from sweepengine.spec._data import DataSpec, ShellsData
from sweepengine.spec._dynamics import ProjectionSpec, RunMethodName, ToleranceSpec  # noqa: TC001 -- for pydantic
from sweepengine.spec._particles import InitialSpec, LatticeSpec  # noqa: TC001 -- for pydantic
from sweepengine.spec._schedule import record_schedule, refuse_many_steps, snapshot_schedule, whole_steps
from sweepengine.spec._stepped import SteppedRun
from sweepengine.spec._terms import RiskTerm, Term
from sweepengine.spec._unit import AnyUnit, UnitSpec, UserUnitSpec
from sweepengine.spec._unnamed import unnamed_of_particles
from sweepengine.time_methods import find

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sweepengine.spec._particles import ParticleSpec
    from sweepengine.time_methods import TimeMethod

RADII = 192
"""Number of radii that stand for the law of |w| in the prediction of the radial reduction.

With twice as many the risk agrees to four digits at every record of the jobs radial_d10 and radial_d40, which end at
t = 12; at t = 20 and d = 40, where radii part at a threshold, to 0.2 %.
"""
_TRIAL_PARTICLES = 64


@dataclass(frozen=True)
class ParticleRun(SteppedRun):
    """One run: everything that its numbers depend on, and nothing else.

    Attributes
    ----------
    unit : UnitSpec or UserUnitSpec or None
        ψ; None where the functional has no risk. A unit of the user's own is named ``name@version``.
    terms : tuple of TermSpec
        Terms of the functional.
    temperature : float
        τ.
    initial : InitialSpec
        Law of the particles at t = 0.
    method : str
        Present name of the time method.
    tolerance : ToleranceSpec or None
        Tolerance of the adaptive method; None for other methods.
    projection : ProjectionSpec or None
        Set onto which particles are projected after every step.
    fresh : DataSection or None
        Data set from which every step draws new points; None where steps use the stored points.
    width, seed : int
        Number of particles m; seed of the particles, the noise and the fresh points.
    time : float
        Time of the last record.
    record_steps : tuple of int
        Steps at which observables are stored; the first is 0, the last is the number of steps.
    snapshots : tuple of int
        Indices of the records that keep all particles.
    precision : str
        ``float32`` or ``float64``.
    data_id : str
        Hash of the data's content.
    observables : tuple of str
        Names of the recorded observables in canonical order, those of users as ``name@version``.
    matmul : str
        How float32 matrices are multiplied: ``full``, ``tf32`` or ``bf16``.
    grid : LatticeSpec or None
        Points at which the first variation is recorded; None: draws of the initial law.
    reference : str or None
        Hash of the content of the cloud to which distances are measured; None where there is no such cloud.
    """

    kind: ClassVar[str] = "particles"
    scaling: ClassVar[str] = "mean_field"
    gamma: ClassVar[float] = 1.0
    alpha: ClassVar[float] = 1.0
    depth: ClassVar[int] = 1

    unit: AnyUnit | None
    terms: tuple[Term, ...]
    temperature: float
    initial: InitialSpec
    method: RunMethodName
    tolerance: ToleranceSpec | None
    projection: ProjectionSpec | None
    fresh: DataSpec | None
    width: int
    seed: int
    time: float
    record_steps: tuple[int, ...]
    snapshots: tuple[int, ...]
    precision: str
    data_id: str
    observables: tuple[str, ...]
    matmul: str = "full"
    grid: LatticeSpec | None = None
    reference: str | None = None

    @property
    def further_columns(self) -> dict[str, Any]:
        """τ."""
        return {"temperature": self.temperature}

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:
        """Ids of the reference cloud, where the run has one, and of the grid, where observables need it."""
        ids = {} if self.reference is None else {"reference": self.reference}
        return ids | ({"grid": self.grid_id} if "grid" in needed else {})

    def trial(self, observables: tuple[str, ...]) -> ParticleRun:
        """A cheaper run that calls the same users' code and records only the given observables."""
        width = min(self.width, _TRIAL_PARTICLES)
        return replace(self, width=width, observables=observables, snapshots=())

    @property
    def activation(self) -> str:
        """Name of φ, or of a unit of the user's own; ``none`` where there is no unit."""
        if self.unit is None:
            return "none"
        return self.unit.name if isinstance(self.unit, UserUnitSpec) else self.unit.activation

    @property
    def has_risk(self) -> bool:
        """Whether one of the terms is a risk, so that the run has outputs."""
        return any(term.needs_data for term in self.terms)

    @property
    def has_pairs(self) -> bool:
        """Whether a term couples all pairs of particles."""
        return any(term.coupling == "pairs" for term in self.terms)

    @property
    def time_method(self) -> TimeMethod:
        """The method's entry in :data:`sweepengine.time_methods.METHODS`."""
        return find(self.method, "particles")

    @property
    def _hashed_method(self) -> str:
        return self.time_method.formerly or self.method

    def coordinates(self, d: int) -> tuple[str, ...]:
        """Names of a particle's coordinates at input dimension d: w0 …, then b and a where the neuron has them.

        They are x0, x1, … where the particles are no neurons.
        """
        if not isinstance(self.unit, UnitSpec):
            count = self.initial.coordinates if self.unit is None else self.unit.coordinates
            return tuple(f"x{k}" for k in range(count or 0))
        inner = (*(f"w{k}" for k in range(d)), *(("b",) if self.unit.bias else ()))
        return inner if self.unit.output == "none" else (*inner, "a")

    @property
    def radial(self) -> tuple[int, float, float] | None:
        """(d, Δ, κ) where the flow of the population risk reduces to a flow of the radii |w|; None where it does not.

        The flow reduces if rotations change nothing: fresh points of two shells, ψ a staircase of w·x without output
        weight, no other term, noise or projection, and w ~ N(0, κ² I/d) at the start.
        """
        plain = UnitSpec(activation="staircase", output="none")
        start = self.initial
        if not isinstance(self.fresh, ShellsData) or self.unit != plain or (start.law, start.mean) != ("gaussian", 0):
            return None
        if self.terms != (RiskTerm(term="risk", cost="mse"),) or self.temperature or self.projection is not None:
            return None
        return self.fresh.d, self.fresh.delta, start.scale * self.fresh.d**0.5

    @cached_property
    def limit_id(self) -> str:
        """Id of the flow of an infinitely large cloud, where that flow is known; empty where it is not.

        The number of radii is in it: a store that has the prediction of another number keeps that one beside this.
        """
        if self.radial is None:
            return ""
        method = {"method": self._hashed_method, "time": self.time, "record_steps": self.record_steps}
        return digest({"kind": self.kind, "radial": self.radial, "radii": RADII} | method)

    @cached_property
    def grid_id(self) -> str:
        """Id of the points of the first variation: a hash of the lattice, or of the law from which they are drawn."""
        recipe = (self.grid, self.initial, self.unit, self.projection, self.precision, self.data_id)
        return digest({"kind": self.kind, "grid": [_plain(part, short=True) for part in recipe]})

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical content."""
        # Fields of sections at their defaults are left out, so that a field that the format gains keeps earlier ids.
        content = {name: _plain(value, short=True) for name, value in self._fields().items()}
        content["method"] = self._hashed_method
        neutral = _PLAIN_RUN | {"observables": list(self.unnamed_observables)}
        return digest({"kind": self.kind} | without_neutral(content, neutral))

    @property
    def unnamed_observables(self) -> tuple[str, ...]:
        """The observables that an id leaves unnamed: a run that records exactly these has an id without observables."""
        return unnamed_of_particles(
            has_risk=self.has_risk, has_snapshots=bool(self.snapshots), has_reference=self.reference is not None
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_json` makes an equal run."""
        return {"kind": self.kind} | {name: _plain(value, short=False) for name, value in self._fields().items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ParticleRun:
        """The inverse of :meth:`to_json`."""
        run = _ADAPTER.validate_python({key: value for key, value in content.items() if key != "kind"})
        return run if run.observables else replace(run, observables=run.unnamed_observables)

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


_ADAPTER = TypeAdapter(ParticleRun)
_PLAIN_RUN = {"snapshots": [], "matmul": "full"} | dict.fromkeys(
    ("unit", "tolerance", "projection", "fresh", "grid", "reference")
)
"""Values of a run's fields that its id leaves out."""


def _plain(value: Any, *, short: bool) -> Any:
    if isinstance(value, BaseModel):
        # The fields that name the class of a section (term, law, to, name, …) have no default, so they stay.
        return value.model_dump(mode="json", exclude_defaults=short)
    if isinstance(value, tuple):
        return [_plain(entry, short=short) for entry in value]
    return value


def expand_particles(
    spec: ParticleSpec, data_id: str, observables: tuple[str, ...], reference: str | None = None
) -> Iterator[ParticleRun]:
    """All runs of a sweep of particles: the product of its axes.

    Parameters
    ----------
    spec : ParticleSpec
    data_id : str
        Hash of the data's content.
    observables : tuple of str
        The recorded observables in canonical order.
    reference : str, optional
        Hash of the content of the cloud to which distances are measured.

    Yields
    ------
    ParticleRun
        Ordered by width, temperature and seed, so that neighbours have arrays of the same shapes.

    Raises
    ------
    SpecError
        The step size does not divide the time, there are too many steps, or there are more records than steps or more
        snapshots than records.
    """
    dynamics = spec.dynamics
    steps = whole_steps(dynamics.time, dynamics.step_size, "dynamics.step_size")
    records = record_schedule(dynamics.records, steps, "dynamics")
    refuse_many_steps(steps, dynamics.time, "dynamics")
    if dynamics.snapshots > len(records):
        raise SpecError(
            f"dynamics.snapshots: found {dynamics.snapshots}, but there are {len(records)} records; use {len(records)} "
            "or fewer, or more records"
        )
    terms = tuple(term.canonical() for term in spec.functional.terms)
    unit = None if spec.unit is None else spec.unit.canonical()
    fresh = spec.data if dynamics.samples == "fresh" else None
    for width, temperature, seed in itertools.product(spec.axes.width, spec.temperatures, spec.axes.seed):
        yield ParticleRun(
            unit=unit,
            terms=terms,
            temperature=float(temperature),
            initial=spec.initial,
            method=dynamics.time_method.name,
            tolerance=dynamics.tolerance,
            projection=dynamics.projection,
            fresh=fresh,
            width=width,
            seed=seed,
            time=float(dynamics.time),
            record_steps=records,
            snapshots=snapshot_schedule(len(records), dynamics.snapshots),
            precision=spec.precision,
            data_id=data_id,
            observables=observables,
            matmul=spec.matmul,
            grid=spec.grid,
            reference=reference,
        )
