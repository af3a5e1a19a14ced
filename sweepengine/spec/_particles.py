"""The spec of a sweep of interacting particles (theory.md §5): the typed form of a spec file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from sweepengine.spec._data import DataSpec
from sweepengine.spec._dynamics import DynamicsSpec
from sweepengine.spec._fields import Count, Factor, NonNegative, Positive, Section, Seed, WholeSpec
from sweepengine.spec._shared import (
    LIST,
    OF_DATA_SEED,
    OF_N_TRAIN,
    Axis,
    Matmul,
    Name,
    Precision,
    Seeds,
    distinct,
    refuse_matmul,
)
from sweepengine.spec._swept import Sweeps
from sweepengine.spec._terms import TERMS, Term
from sweepengine.spec._unit import AnyUnit, UnitSpec, UserUnitSpec
from sweepengine.time_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sweepengine.plugins import CodeKind


class FunctionalSpec(Section):
    """F(μ) = Σ terms + τ∫log μ dμ."""

    terms: Annotated[tuple[Term, ...], LIST]
    temperature: NonNegative | None = Field(
        default=None, description="τ, carried by noise; 0 where not given; to sweep it, give axes.temperature instead"
    )


class InitialSpec(Section):
    """The law of the independent particles at t = 0."""

    law: Literal["gaussian", "sphere", "network"] = Field(
        description="gaussian: N(mean, scale² I); sphere: uniform on the sphere of radius scale; network: the initial "
        "weights of a network of the same width and seed, so that the particles can be compared with its neurons"
    )
    coordinates: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="coordinates of a particle; left out where a unit says how many there are"
    )
    mean: Factor = 0.0
    scale: Positive = 1.0
    output: Literal["alike", "signs", "zeros"] = Field(
        default="alike",
        description="law of the output weight a; alike: that of the other coordinates; signs: ±1 times output_scale, "
        "whatever the mean; zeros: 0",
    )
    output_scale: Positive | None = Field(default=None, description="scale of the output weight; scale where not given")


class ParticleAxes(Section):
    """The swept axes; every combination of their values is one run."""

    width: Axis[Count] = Field(description="number of particles m")
    seed: Seeds
    temperature: Annotated[Axis[NonNegative] | None, Sweeps("functional.temperature", symbol="τ", by_kind=True)] = None
    step_size: Annotated[Axis[Positive] | None, Sweeps("dynamics.step_size", symbol="η")] = None
    n_train: Annotated[Axis[Count] | None, OF_N_TRAIN] = None
    data_seed: Annotated[Axis[Seed] | None, OF_DATA_SEED] = None


class LatticeSpec(Section):
    """A lattice of points: ``count`` values from low to high in each coordinate; the last coordinate varies fastest."""

    low: Factor
    high: Factor
    count: Annotated[int, Field(ge=2, le=100_000)]


class ParticleSpec(WholeSpec):
    """One sweep of interacting particles: fixed settings × swept axes.

    Build it from a file with :func:`sweepengine.spec.read_spec`, or in Python with the same names; either way it is
    validated and frozen.
    """

    kind: Literal["particles"]
    name: Name
    data: DataSpec | None = Field(default=None, description="data of the risk; left out where no term is a risk")
    unit: AnyUnit | None = Field(default=None, description="ψ of the risk; left out where no term is a risk")
    functional: FunctionalSpec
    initial: InitialSpec
    dynamics: DynamicsSpec
    axes: ParticleAxes
    precision: Precision
    matmul: Matmul = "full"
    observables: Annotated[tuple[str, ...], LIST, AfterValidator(distinct)] | None = Field(
        default=None,
        description="names of the recorded observables (the message about an unknown name lists all names)",
    )
    grid: LatticeSpec | None = Field(
        default=None,
        description="points at which first_variation and stationarity_gap evaluate dF_0/dmu; where not given, 512 "
        "draws of the initial law, the same for every run",
    )
    reference: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="path of a .npz whose array `points`, of shape (particles, coordinates), is the cloud to which "
        "w2_reference and sliced_w2_reference measure distances; relative to the folder of the spec's file",
    )
    shards: Count = Field(default=1, description="workers that share the particles of one run; no result depends on it")

    @property
    def temperatures(self) -> tuple[float, ...]:
        """All values of τ in the sweep."""
        return self.axes.temperature or (self.functional.temperature or 0.0,)

    @model_validator(mode="after")
    def _matmul_fits(self) -> ParticleSpec:
        refuse_matmul(self.matmul, self.precision)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> ParticleSpec:
        terms = self.functional.terms
        risks = [term for term in terms if term.needs_data]
        if len(risks) > 1:
            raise ValueError("functional.terms: found two risks; one run has one, give it a strength instead")
        for field in ("data", "unit"):
            if bool(risks) != (getattr(self, field) is not None):
                raise ValueError(
                    f"{field}: missing; a risk needs it"
                    if risks
                    else f"{field}: given, but no term is a risk; remove it"
                )
        if (self.initial.coordinates is None) != bool(risks):
            raise ValueError(
                "initial.coordinates: found one, but the unit says how many there are; remove it"
                if risks
                else "initial.coordinates: missing; without a unit say how many coordinates a particle has"
            )
        neuron = self.neuron
        if neuron is not None and neuron.frozen == "output" and neuron.output == "none":
            raise ValueError("unit.frozen: found 'output' on a unit without output weight; leave frozen out")
        has_weight = neuron is not None and neuron.output != "none"
        if not has_weight and (self.initial.output != "alike" or self.initial.output_scale is not None):
            raise ValueError("initial.output: given for particles without output weight; remove it")
        if self.initial.output_scale is not None and self.initial.output == "zeros":
            raise ValueError("initial.output_scale: given for output weights of 0; remove it")
        if self.initial.output_scale is not None and (self.initial.law, self.initial.output) == ("sphere", "alike"):
            raise ValueError(
                "initial.output_scale: found one for law 'sphere', where the output weight is one of the coordinates "
                "of a point on the sphere; remove it, or set initial.output: signs"
            )
        if self.initial.law == "network" and not has_weight:
            raise ValueError(
                "initial.law: found 'network', whose units are neurons with an output weight; set unit.activation and "
                "unit.output: free, or take another law"
            )
        fields = type(self.initial).model_fields
        own = [
            name
            for name in ("mean", "scale", "output", "output_scale")
            if getattr(self.initial, name) != fields[name].default
        ]
        if self.initial.law == "network" and own:
            raise ValueError(
                f"initial.law: found 'network' with {', '.join(own)}; a network's weights are N(0, 1), remove it"
            )
        return self

    @model_validator(mode="after")
    def _dynamics_fit(self) -> ParticleSpec:
        dynamics, method = self.dynamics, self.dynamics.method
        adaptive = dynamics.time_method.adaptive
        if any(self.temperatures) and not dynamics.time_method.noise:
            raise ValueError(
                f"dynamics.method: found {method!r} at temperature {max(self.temperatures):g}; only "
                f"{', '.join(name for name in METHODS if METHODS[name].noise)} carry the noise"
            )
        if dynamics.tolerance is not None and not adaptive:
            raise ValueError(f"dynamics.tolerance: found one with method {method!r}; only adaptive steps have one")
        if dynamics.projection is not None and self.neuron is not None and self.neuron.frozen is not None:
            raise ValueError(
                "dynamics.projection: found one with unit.frozen, whose coordinates it would move; leave one of them "
                "out"
            )
        if adaptive and dynamics.projection is not None:
            raise ValueError("dynamics.projection: found one with adaptive steps, whose error it would hide; remove it")
        if dynamics.samples == "fresh" and (self.data is None or self.data.fresh_points is None):
            data = "no data" if self.data is None else f"data {self.data.name!r}"
            raise ValueError(f"dynamics.samples: found 'fresh' with {data}; only drawn data have ever more points")
        if dynamics.samples == "fresh" and adaptive:
            raise ValueError(
                "dynamics.samples: found 'fresh' with adaptive steps, which need the same points at every step; use rk4"
            )
        if self.grid is not None and not self.grid.low < self.grid.high:
            raise ValueError(f"grid: found low {self.grid.low:g} and high {self.grid.high:g}; low must be below high")
        if self.grid is not None and dynamics.projection is not None:
            raise ValueError(
                "grid: found a lattice with dynamics.projection, which keeps the particles off most of it; leave grid "
                "out"
            )
        if dynamics.snapshots == 1:
            raise ValueError("dynamics.snapshots: found 1; give 0, or 2 (the start and the end) or more")
        return self

    @property
    def neuron(self) -> UnitSpec | None:
        """The unit if it is a neuron; None where it is another unit or missing."""
        return self.unit if isinstance(self.unit, UnitSpec) else None

    @property
    def method_label(self) -> str:
        """Name of the time method."""
        return self.dynamics.time_method.name

    def located(self, folder: Path) -> ParticleSpec:
        """A copy whose file paths, which were relative to ``folder``, begin with it."""
        update: dict[str, Any] = {}
        if self.data is not None:
            update["data"] = self.data.located(folder)
        if self.reference is not None:
            update["reference"] = str(folder / self.reference)
        return self.model_copy(update=update)

    @property
    def workers_of_a_run(self) -> int:
        """Number of shards of a run, each of which a worker advances."""
        return self.shards

    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]:
        """The terms and the unit that users have registered."""
        terms = (term.canonical().users_code for term in self.functional.terms)
        unit = (("unit", self.unit.canonical().name),) if isinstance(self.unit, UserUnitSpec) else ()
        return (*(code for code in terms if code is not None), *unit)

    def unlike_steps(self) -> str:
        """See :class:`WholeSpec`: steps of particles are never replayed."""
        return "particles"

    def fixed_settings(self) -> dict[str, Any]:
        """See :class:`WholeSpec`; the shards are left out because they change no number."""
        settings = {key: value for key, value in super().fixed_settings().items() if key != "shards"}
        return settings | {"dynamics.method": self.method_label}

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
        """See :class:`WholeSpec`: fixed settings, all temperatures, and the versions of users' terms."""
        terms = {f"{code['kind']} {code['name']}": (code["version"],) for code in used if code["kind"] in TERMS}
        return super().agreed_settings(used) | {"functional.temperature": self.temperatures} | terms
