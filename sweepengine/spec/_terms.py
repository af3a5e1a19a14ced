"""Terms of a functional: their sections in a spec, and all that is known of a term without torch.

A term is one class, entered in :data:`TERMS`, which refers to a builder beside the mathematics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import Field, model_validator

from sweepengine.plugins import canonical_term
from sweepengine.spec._choice import OneOf
from sweepengine.spec._fields import Factor, Positive, Section, Seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.plugins import TermKind

Coupling = Literal["none", "means", "pairs"]


class TermSpec(Section):
    """One term of F; a subclass allows one value of the field ``term``, the term's name.

    Attributes
    ----------
    builder : str
        ``module:name`` of a function ``(context, **fields) -> Term`` of the particle library; see
        :class:`sweepengine.particles.TermContext`. The caller multiplies the term by its strength.
    coupling : {"none", "means", "pairs"}
        How particles act on each other: not at all; through means over the cloud, in m work; or pair by pair, in m²
        work.
    needs_data : bool
        Whether the term is a cost of the outputs, so that a sweep needs data and a unit.
    """

    builder: ClassVar[str]
    coupling: ClassVar[Coupling]
    needs_data: ClassVar[bool]

    term: str
    strength: Factor = Field(default=1.0, description="factor of the term; a negative factor reverses its force")

    @property
    def reference_points(self) -> int:
        """Number of fixed points that the term holds beside the particles."""
        return 0

    @property
    def users_code(self) -> tuple[TermKind, str] | None:
        """Kind and name of the users' code that the term calls; None for a term of this package."""
        return None

    def canonical(self) -> TermSpec:
        """The term with users' code named ``name@version``. Raises SpecError if nobody has registered that code."""
        return self

    def fields(self) -> dict[str, Any]:
        """The fields of the term that its builder takes."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in TermSpec.model_fields}


TERMS: dict[str, type[TermSpec]] = {}
"""Name → class of a term; :func:`register_term` adds entries."""
_Term = TypeVar("_Term", bound=TermSpec)


def register_term(
    *, builder: str, coupling: Coupling, needs_data: bool = False
) -> Callable[[type[_Term]], type[_Term]]:
    """Decorate a class of a term to enter it in :data:`TERMS`, under the one value that its field ``term`` allows.

    Parameters
    ----------
    builder, coupling, needs_data
        See :class:`TermSpec`.

    Raises
    ------
    ValueError
        The field allows no value or several, the name is taken, or the builder is no ``module:name``.
    """

    def enter(cls: type[_Term]) -> type[_Term]:
        names = get_args(cls.model_fields["term"].annotation)
        if len(names) != 1 or names[0] in TERMS:
            raise ValueError(
                f"{cls.__name__}.term: found {names}; give it a Literal of one name that no other term has"
            )
        if builder.count(":") != 1:
            raise ValueError(f"{cls.__name__}: found the builder {builder!r}; name it as package.module:function")
        cls.builder, cls.coupling, cls.needs_data = builder, coupling, needs_data
        TERMS[names[0]] = cls
        return cls

    return enter


Term = Annotated[TermSpec, OneOf(lambda: TERMS, "term")]

_POTENTIALS = "sweepengine.particles._terms"
_INTERACTIONS = "sweepengine.particles._interaction"


@register_term(builder="sweepengine.particles._risk:build_risk", coupling="means", needs_data=True)
class RiskTerm(TermSpec):
    """R(f_μ): the mean over the training points of the cost of f_μ(x) = ∫ψ(θ; x) dμ."""

    term: Literal["risk"]
    cost: Literal["mse", "logistic", "huber"] = Field(
        description="the cost of a point, as under training.loss of networks"
    )


@register_term(builder=f"{_POTENTIALS}:build_quadratic", coupling="none")
class QuadraticTerm(TermSpec):
    """∫|θ − centre|²/2 dμ; the centre is the same in every coordinate, and 0 makes the term a ridge."""

    term: Literal["quadratic"]
    centre: Factor = 0.0


@register_term(builder=f"{_POTENTIALS}:build_double_well", coupling="none")
class DoubleWellTerm(TermSpec):
    """¼ ∫Σ_c (θ_c² − distance²)² dμ."""

    term: Literal["double_well"]
    distance: Positive = 1.0


@register_term(builder=f"{_INTERACTIONS}:build_attraction", coupling="means")
class AttractionTerm(TermSpec):
    """½∬|θ − θ'|²/2 dμdμ: it keeps the mean and shrinks the covariance."""

    term: Literal["attraction"]


@register_term(builder=f"{_INTERACTIONS}:build_gaussian", coupling="pairs")
class GaussianTerm(TermSpec):
    """½∬exp(−|θ − θ'|²/(2 length²)) dμdμ: particles repel each other."""

    term: Literal["gaussian"]
    length: Positive = 1.0


@register_term(builder=f"{_INTERACTIONS}:build_riesz", coupling="pairs")
class RieszTerm(TermSpec):
    """−½∬|θ − θ'|^power dμdμ: particles repel each other; power 1 gives the kernel of the energy distance."""

    term: Literal["riesz"]
    power: Annotated[float, Field(gt=0, lt=2)] = 1.0


@register_term(builder=f"{_INTERACTIONS}:build_discrepancy", coupling="pairs")
class DiscrepancyTerm(TermSpec):
    """½ MMD² to `count` fixed points drawn from N(mean, scale² I), by the kernel of the term `riesz` or `gaussian`."""

    term: Literal["mmd"]
    kernel: Literal["riesz", "gaussian"] = "riesz"
    power: Annotated[float, Field(gt=0, lt=2)] = Field(default=1.0, description="power of the kernel riesz")
    length: Positive = Field(default=1.0, description="length of the kernel gaussian")
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    mean: Factor = 0.0
    scale: Positive = 1.0
    seed: Seed = 0

    @property
    def reference_points(self) -> int:
        """Number of points of the fixed Gaussian cloud."""
        return self.count

    @model_validator(mode="after")
    def _kernel_fits(self) -> DiscrepancyTerm:
        for field, kernel in (("power", "riesz"), ("length", "gaussian")):
            if getattr(self, field) != 1 and self.kernel != kernel:
                raise ValueError(f"{field}: given for the kernel {self.kernel!r}; only {kernel!r} has one, remove it")
        return self


class _RegisteredTerm(TermSpec):
    """A term that calls users' code; the name of the term is the kind under which the code is registered."""

    term: Literal["potential", "kernel"]
    name: str

    @property
    def users_code(self) -> tuple[TermKind, str]:
        """Kind and name of the users' code that the term calls."""
        return self.term, self.name

    def canonical(self) -> _RegisteredTerm:
        """The term with ``name@version`` as its name. Raises SpecError if nobody has registered the name."""
        return self.model_copy(update={"name": canonical_term(*self.users_code)})


@register_term(builder=f"{_POTENTIALS}:build_potential", coupling="none")
class PotentialTerm(_RegisteredTerm):
    """∫V dμ of a registered potential (--plugin FILE)."""

    term: Literal["potential"]


@register_term(builder=f"{_INTERACTIONS}:build_kernel", coupling="pairs")
class KernelTerm(_RegisteredTerm):
    """½∬W dμdμ of a registered kernel (--plugin FILE)."""

    term: Literal["kernel"]
