"""What to run: the typed form of a sweep of interacting particles (theory.md §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sweepengine.plugins import canonical_term, canonical_unit
from sweepengine.spec._data import DataSpec
from sweepengine.spec._fields import Count, Positive, Section, Seed, WholeSpec
from sweepengine.spec._model import (
    _LIST,
    EveryRecords,
    LogRecords,
    Matmul,
    Name,
    Seeds,
    UnitActivationName,
    _distinct,
    refuse_matmul,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sweepengine.plugins import CodeKind

Factor = Annotated[float, Field(ge=-1e12, le=1e12)]
LANGEVIN_METHODS = ("euler_maruyama", "leimkuhler_matthews", "stochastic_heun")
MethodName = Literal[
    "euler",
    "heun",
    "rk4",
    "dormand_prince",
    "adaptive",
    "euler_maruyama",
    "leimkuhler_matthews",
    "stochastic_heun",
]

_TERM_KINDS = ("potential", "kernel")
"""Kinds of users' code that are terms of a functional."""


class UnitSpec(Section):
    """ψ(θ; x) = scale · s(a) φ(input_scale w·x + bias_scale b): what one particle does to the output."""

    activation: UnitActivationName = Field(description="φ; staircase is that of Mei, Montanari & Nguyen (PNAS 2018)")
    output: Literal["free", "tanh", "none"] = Field(
        default="free", description="s(a) = a; tanh a (bounded); or 1, with no coordinate a"
    )
    bias: bool = Field(default=False, description="whether a particle has a coordinate b")
    scale: Positive = 1.0
    input_scale: Positive = 1.0
    bias_scale: Positive = 1.0
    frozen: Literal["output", "input"] | None = Field(
        default=None, description="coordinates that do not move: neither a term nor the noise changes them"
    )


class UserUnitSpec(Section):
    """A registered unit (--plugin FILE): any ψ(θ; x) of a particle θ with as many coordinates as are given."""

    name: str
    coordinates: Annotated[int, Field(ge=1, le=100_000)]


def _unit_kind(unit: object) -> str:
    named = isinstance(unit, UserUnitSpec) or (isinstance(unit, dict) and "name" in unit)
    return UserUnitSpec.__name__ if named else UnitSpec.__name__


AnyUnit = Annotated[
    Annotated[UnitSpec, Tag(UnitSpec.__name__)] | Annotated[UserUnitSpec, Tag(UserUnitSpec.__name__)],
    Discriminator(_unit_kind),
]
"""A neuron, or what users call a unit."""


class _Term(Section):
    strength: Factor = Field(default=1.0, description="factor of the term; negative turns it around")


class RiskTerm(_Term):
    """R(f_μ), the mean cost over the training points of f_μ(x) = ∫ψ(θ; x) dμ."""

    term: Literal["risk"]
    cost: Literal["mse", "logistic", "huber"] = Field(description="as for networks")


class QuadraticTerm(_Term):
    """∫|θ − centre|²/2 dμ, the same centre in every coordinate; with centre 0 a ridge."""

    term: Literal["quadratic"]
    centre: Factor = 0.0


class DoubleWellTerm(_Term):
    """¼ ∫Σ_c (θ_c² − distance²)² dμ."""

    term: Literal["double_well"]
    distance: Positive = 1.0


class AttractionTerm(_Term):
    """½∬|θ − θ'|²/2 dμdμ: keeps the mean and shrinks the covariance."""

    term: Literal["attraction"]


class GaussianTerm(_Term):
    """½∬exp(−|θ − θ'|²/(2 length²)) dμdμ: repels."""

    term: Literal["gaussian"]
    length: Positive = 1.0


class RieszTerm(_Term):
    """−½∬|θ − θ'|^power dμdμ: repels; power 1 is the energy of the energy distance."""

    term: Literal["riesz"]
    power: Annotated[float, Field(gt=0, lt=2)] = 1.0


class DiscrepancyTerm(_Term):
    """½ MMD² to a Gaussian cloud N(mean, scale² I) of `count` fixed points, by the kernel of `riesz` or of `gaussian`."""

    term: Literal["mmd"]
    kernel: Literal["riesz", "gaussian"] = "riesz"
    power: Annotated[float, Field(gt=0, lt=2)] = Field(default=1.0, description="of riesz")
    length: Positive = Field(default=1.0, description="of gaussian")
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    mean: Factor = 0.0
    scale: Positive = 1.0
    seed: Seed = 0

    @model_validator(mode="after")
    def _kernel_fits(self) -> DiscrepancyTerm:
        for field, kernel in (("power", "riesz"), ("length", "gaussian")):
            if getattr(self, field) != 1 and self.kernel != kernel:
                raise ValueError(f"{field}: given for the kernel {self.kernel!r}; only {kernel!r} has one, remove it")
        return self


class PotentialTerm(_Term):
    """∫V dμ of a registered potential (--plugin FILE)."""

    term: Literal["potential"]
    name: str


class KernelTerm(_Term):
    """½∬W dμdμ of a registered kernel (--plugin FILE)."""

    term: Literal["kernel"]
    name: str


Term = (
    RiskTerm
    | QuadraticTerm
    | DoubleWellTerm
    | AttractionTerm
    | GaussianTerm
    | RieszTerm
    | DiscrepancyTerm
    | PotentialTerm
    | KernelTerm
)
PAIRWISE = (GaussianTerm, RieszTerm, DiscrepancyTerm, KernelTerm)
"""Terms whose every particle sees every other."""


class FunctionalSpec(Section):
    """F(μ) = Σ terms + τ∫log μ dμ."""

    terms: Annotated[tuple[Annotated[Term, Discriminator("term")], ...], _LIST]
    temperature: Annotated[float, Field(ge=0, le=1e12)] | None = Field(
        default=None, description="τ, carried by noise; 0 where not given; or swept under axes"
    )


class InitialSpec(Section):
    """The law of the independent particles at t = 0."""

    law: Literal["gaussian", "sphere", "network"] = Field(
        description="gaussian: N(mean, scale² I); sphere: uniform, of radius scale; network: the weights that a network "
        "of the same width and seed begins with, so that the two can be laid over each other"
    )
    coordinates: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="of a particle; given by the unit where there is one"
    )
    mean: Factor = 0.0
    scale: Positive = 1.0
    output: Literal["alike", "signs", "zeros"] = Field(
        default="alike",
        description="the output weight a: as the other coordinates; ±1 times output_scale, whatever the mean; or 0",
    )
    output_scale: Positive | None = Field(default=None, description="of the output weight; scale where not given")


class ProjectionSpec(Section):
    """Where particles are brought back to, at the start and after every step."""

    to: Literal["sphere", "ball"]
    radius: Positive = 1.0


class ToleranceSpec(Section):
    """What the adaptive integrator allows a step's error to be."""

    relative: Positive = 1e-6
    absolute: Positive = 1e-8


class DynamicsSpec(Section):
    """dθ_k = −∇(δF/δμ)(θ_k) dt + √(2τ) dB_k from 0 to time."""

    method: MethodName
    step_size: Positive = Field(
        description="dt; of the adaptive method the grid of times on which records lie and which its steps meet"
    )
    time: Positive
    tolerance: ToleranceSpec | None = Field(default=None, description="of the adaptive method only")
    projection: ProjectionSpec | None = None
    records: Annotated[LogRecords | EveryRecords, Discriminator("spacing")]
    samples: Literal["fixed", "fresh"] = Field(
        default="fixed",
        description="fixed: the same n_train points at every step; fresh: n_train new ones at every step, drawn from the "
        "run's seed, so that steps follow the population risk; what is recorded is measured on the stored points",
    )
    snapshots: Annotated[int, Field(ge=0)] = Field(
        default=2,
        description="records that keep all particles, evenly among the records: 2 is the start and the end; 0 keeps none",
    )


class ParticleAxes(Section):
    """The swept axes: the runs are all their combinations."""

    width: Annotated[tuple[Count, ...], _LIST, AfterValidator(_distinct)] = Field(description="particles m")
    seed: Seeds
    temperature: (
        Annotated[tuple[Annotated[float, Field(ge=0, le=1e12)], ...], _LIST, AfterValidator(_distinct)] | None
    ) = None


class LatticeSpec(Section):
    """Points of a first variation: ``count`` values from low to high in every coordinate, the last varying fastest."""

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
    data: DataSpec | None = Field(default=None, description="what the risk is of; left out where no term is a risk")
    unit: AnyUnit | None = Field(default=None, description="left out where no term is a risk")
    functional: FunctionalSpec
    initial: InitialSpec
    dynamics: DynamicsSpec
    axes: ParticleAxes
    precision: Literal["float32", "float64"]
    matmul: Matmul = "full"
    observables: Annotated[tuple[str, ...], _LIST, AfterValidator(_distinct)] | None = Field(
        default=None, description="what is recorded, by name; an unknown name lists them all"
    )
    grid: LatticeSpec | None = Field(
        default=None,
        description="where first_variation and stationarity_gap look at dF_0/dmu; 512 draws of the initial law, the same "
        "for every run, where not given",
    )
    reference: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="a .npz whose array points (particles, coordinates) is the cloud to which w2_reference and "
        "sliced_w2_reference measure; relative to the folder of the spec's file",
    )
    shards: Count = Field(default=1, description="workers that share one run's particles; changes no number")

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Values of the axis τ."""
        return self.axes.temperature or (self.functional.temperature or 0.0,)

    @model_validator(mode="after")
    def _matmul_fits(self) -> ParticleSpec:
        refuse_matmul(self.matmul, self.precision)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> ParticleSpec:
        terms = self.functional.terms
        risks = [term for term in terms if isinstance(term, RiskTerm)]
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
                "initial.output_scale: found one for law 'sphere', where the output weight is one of the coordinates of a "
                "point on the sphere; remove it, or set initial.output: signs"
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
        if self.axes.temperature is not None and self.functional.temperature is not None:
            raise ValueError("functional.temperature and axes.temperature are both given; remove one of them")
        if any(self.temperatures) and method not in LANGEVIN_METHODS:
            raise ValueError(
                f"dynamics.method: found {method!r} at temperature {max(self.temperatures):g}; only "
                f"{', '.join(LANGEVIN_METHODS)} carry the noise"
            )
        if dynamics.tolerance is not None and method != "adaptive":
            raise ValueError(f"dynamics.tolerance: found one with method {method!r}; only adaptive steps have one")
        if dynamics.projection is not None and self.neuron is not None and self.neuron.frozen is not None:
            raise ValueError(
                "dynamics.projection: found one with unit.frozen, whose coordinates it would move; leave one of them out"
            )
        if method == "adaptive" and dynamics.projection is not None:
            raise ValueError("dynamics.projection: not with adaptive steps, whose error it would hide; remove it")
        if dynamics.samples == "fresh" and (self.data is None or self.data.fresh_points is None):
            found = "no data" if self.data is None else f"data {self.data.name!r}"
            raise ValueError(f"dynamics.samples: found 'fresh' with {found}; only drawn data have ever more points")
        if dynamics.samples == "fresh" and method == "adaptive":
            raise ValueError("dynamics.samples: found 'fresh' with adaptive steps, which need one velocity; use rk4")
        if self.grid is not None and not self.grid.low < self.grid.high:
            raise ValueError(f"grid: found low {self.grid.low:g} and high {self.grid.high:g}; low must be below high")
        if self.grid is not None and dynamics.projection is not None:
            raise ValueError(
                "grid: found a lattice with dynamics.projection, which keeps the particles off most of it; leave grid out"
            )
        if dynamics.snapshots == 1:
            raise ValueError("dynamics.snapshots: found 1; give 0, or 2 (the start and the end) or more")
        return self

    @property
    def neuron(self) -> UnitSpec | None:
        """The unit where it is a neuron."""
        return self.unit if isinstance(self.unit, UnitSpec) else None

    @property
    def method_label(self) -> str:
        """Name of the time method."""
        return self.dynamics.method

    def located(self, folder: Path) -> ParticleSpec:
        """The same with the files that it names looked for from a folder, as a spec in that folder means them."""
        update: dict[str, Any] = {}
        if self.data is not None:
            update["data"] = self.data.located(folder)
        if self.reference is not None:
            update["reference"] = str(folder / self.reference)
        return self.model_copy(update=update)

    @property
    def workers_of_a_run(self) -> int:
        """Shards."""
        return self.shards

    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]:
        """The terms and the unit that users have registered."""
        terms = (
            (term.term, canonical_term(term.term, term.name))
            for term in self.functional.terms
            if isinstance(term, (PotentialTerm, KernelTerm))
        )
        unit = (("unit", canonical_unit(self.unit.name)),) if isinstance(self.unit, UserUnitSpec) else ()
        return (*terms, *unit)

    def unlike_steps(self) -> str:
        """Those of particles are."""
        return "particles"

    def fixed_settings(self) -> dict[str, Any]:
        """Everything but the name, the axes and what changes no number, flat, keyed ``section.field``."""
        return {key: value for key, value in super().fixed_settings().items() if key != "shards"}

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
        """The fixed settings, the temperatures, and the versions of users' terms."""
        terms = {f"{each['kind']} {each['name']}": (each["version"],) for each in used if each["kind"] in _TERM_KINDS}
        return super().agreed_settings(used) | {"functional.temperature": self.temperatures} | terms
