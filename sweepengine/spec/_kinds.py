"""The kinds of sweeps: one record for each kind, which says all that distinguishes it from the others.

A record names code of higher packages by references, ``module:name``, so that reading a spec imports none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import TypeAdapter

from sweepengine.errors import SpecError, shown
from sweepengine.plugins import current, register
from sweepengine.spec._column import Column
from sweepengine.spec._computation import ComputationRun, ComputationSpec
from sweepengine.spec._model import SweepSpec
from sweepengine.spec._particle_run import ParticleRun
from sweepengine.spec._particles import ParticleSpec
from sweepengine.spec._run import Run
from sweepengine.spec._swept import axes_of, with_swept_left_out
from sweepengine.spec._user_model import ModelRun, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from pydantic import BaseModel

    from sweepengine.plugins import CodeKind
    from sweepengine.spec._data import DataSpec
    from sweepengine.spec._fields import RefineSection, WholeSpec


class AnySpec(Protocol):
    """A spec of any kind; :class:`sweepengine.spec.WholeSpec` has most of it."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def data(self) -> DataSpec | None: ...
    @property
    def axes(self) -> BaseModel: ...
    @property
    def precision(self) -> str: ...
    @property
    def matmul(self) -> str: ...
    @property
    def observables(self) -> tuple[str, ...] | None: ...
    @property
    def method_label(self) -> str:
        """Name and parameters of the time method."""

    @property
    def refine(self) -> RefineSection | None: ...
    @property
    def keep_states(self) -> bool | None: ...
    @property
    def workers_of_a_run(self) -> int:
        """See :class:`WholeSpec`, which also documents the methods below ``located``."""

    def located(self, folder: Path) -> Self:
        """A copy whose file paths, which were relative to ``folder``, begin with it."""

    @property
    def swept(self) -> dict[str, tuple[Any, ...]]: ...
    def variants(self) -> Iterator[Self]: ...
    def values_of_axes(self) -> dict[str, Any]: ...
    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]: ...
    def unlike_steps(self) -> str: ...
    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]: ...
    def to_json(self) -> dict[str, Any]: ...


class AnyRun(Protocol):
    """A run of any kind: a frozen value; :class:`sweepengine.spec.SteppedRun` has some of it."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def limit_id(self) -> str:
        """Id of the prediction of infinite width for the run; empty where there is no prediction."""

    @property
    def scaling(self) -> str: ...
    @property
    def gamma(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    @property
    def width(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def activation(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def record_steps(self) -> tuple[int, ...]: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def step_size(self) -> float: ...
    @property
    def precision(self) -> str: ...
    @property
    def matmul(self) -> str: ...
    @property
    def data_id(self) -> str: ...
    @property
    def observables(self) -> tuple[str, ...]: ...
    @property
    def shares_turns(self) -> bool:
        """Whether runs of one block can be advanced together."""

    @property
    def further_columns(self) -> dict[str, Any]:
        """Values in the columns that only this kind has in the table of runs."""

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:
        """See :class:`SteppedRun`."""

    @classmethod
    def reads(cls, content: dict[str, Any]) -> bool:
        """Whether these plain values are what ``to_json`` of this class returns."""

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""

    def to_json(self) -> dict[str, Any]: ...
    def trial(self, observables: tuple[str, ...]) -> AnyRun:
        """A cheaper run that calls the same users' code and records only the given observables."""


@dataclass(frozen=True)
class Kind:
    """One kind of sweep: all that distinguishes it from other kinds.

    Attributes
    ----------
    name : str
    spec, run : type
        Classes of a whole sweep, and of one point of it.
    work : str or callable
        Reference to a function from a spec and its data to the :class:`sweepengine.plan.Work` that the plan asks.
    turn : str or callable
        Reference to the :class:`sweepengine.execute.MakeTurn` that advances runs.
    columns : mapping
        Columns of the table of runs that other kinds lack; :attr:`AnyRun.further_columns` holds their values.
    findings : str or Findings
        The :class:`sweepengine.analysis.Findings` of the kind, or a reference to them; where this is empty, summaries
        and reports refuse sweeps of this kind.
    """

    name: str
    spec: type[WholeSpec]
    run: type[AnyRun]
    work: str | Callable[..., Any]
    turn: str | Callable[..., Any]
    columns: Mapping[str, Column] = field(default_factory=dict)
    findings: object = ""

    @property
    def swept_columns(self) -> dict[str, Column]:
        """Columns that a table has in stores where the setting was swept; the axes of the spec declare them."""
        return {axis: sweeps.column for axis, sweeps in axes_of(self.spec).items() if sweeps.column is not None}

    @property
    def further_columns(self) -> dict[str, Column]:
        """All columns that a table of this kind may have beside those of every table."""
        return {**self.columns, **self.swept_columns}

    def identity(self) -> dict[str, object]:
        """The fields that a fingerprint covers: all but the findings, which change no stored number."""
        return {name: value for name, value in vars(self).items() if name != "findings"}


_OF_NETWORKS = "sweepengine.analysis._of_networks:NETWORKS"
KINDS = (
    Kind(
        "computation", ComputationSpec, ComputationRun, "sweepengine.plan._computations:ComputationWork",
        "sweepengine.execute._computation_turn:computation_turn",
        findings="sweepengine.analysis._of_computations:COMPUTATIONS",
    ),
    Kind(
        "models", ModelSpec, ModelRun, "sweepengine.plan._models:ModelWork",
        "sweepengine.execute._model_turn:model_turn", findings=_OF_NETWORKS,
    ),
    Kind(
        "networks", SweepSpec, Run, "sweepengine.plan._networks:NetworkWork",
        "sweepengine.execute._turn:network_turn", findings=_OF_NETWORKS,
    ),
    Kind(
        "particles", ParticleSpec, ParticleRun, "sweepengine.plan._particles:ParticleWork",
        "sweepengine.execute._particle_turn:particle_turn",
        {"temperature": Column("float64", float("nan"), "temperature tau of the noise")},
        "sweepengine.analysis._of_particles:PARTICLES",
    ),
)  # fmt: skip
"""The kinds of this package. Where two kinds read the same mapping, the first of them is meant."""


def register_kind(kind: Kind, version: str = "1") -> None:
    """Register a kind of sweeps of one's own, which specs then name by ``kind: <name>`` (docs/extending.md).

    Parameters
    ----------
    kind : Kind
        Its name must be the value of ``kind`` in its specs and runs. Its references are resolved when they are used.
    version : str
        Change the version whenever the numbers change; other code under the same version is refused.

    Raises
    ------
    SpecError
        The name is taken or is not allowed, or a column has another meaning in another kind.
    """
    if any(kind.name == own.name for own in KINDS):
        raise SpecError(f"kind: the name {kind.name!r} is one of sweepengine's own; choose another")
    of_runs: Any = kind.run.kind
    if of_runs != kind.name:
        raise SpecError(f"kind {kind.name}: its runs say the kind {of_runs!r}; give both one name")
    for name, column in kind.further_columns.items():
        every = (other.further_columns for other in kinds() if other.name != kind.name)
        others = (columns[name] for columns in every if name in columns)
        if any(repr(other) != repr(column) for other in others):  # as text, because NaN is not equal to itself
            raise SpecError(f"kind {kind.name}: its column {name!r} means something else in another kind; rename it")
    register("kind", kind.name, version, kind, kind.spec)


def kinds() -> tuple[Kind, ...]:
    """All kinds that this process knows."""
    return (*KINDS, *(entry.content for entry in current("kind").values()))


def kind_names() -> tuple[str, ...]:
    """The values that a spec may have under ``kind``."""
    return tuple(dict.fromkeys(str(kind.run.kind) for kind in kinds()))


def kind_of(thing: AnySpec | AnyRun) -> Kind:
    """The kind of a spec or a run."""
    for kind in kinds():
        if _named(type(thing)) in (_named(kind.spec), _named(kind.run)):
            return kind
    raise AssertionError(f"{type(thing).__name__} belongs to no kind that is registered in this process")


def _named(cls: type) -> tuple[str, str]:
    """Module and name of a class: a class of a notebook that travels to a worker comes there as more than one copy."""
    return cls.__module__, cls.__qualname__


def kind_key(spec: AnySpec) -> tuple[tuple[CodeKind, str], ...]:
    """The pair ("kind", ``name@version``) where users have registered the spec's kind; empty for the package's own."""
    entry = current("kind").get(kind_of(spec).name)
    return () if entry is None else (("kind", entry.key),)


def further_columns() -> dict[str, Column]:
    """Columns of the table of runs that only some kinds have, or only stores where a setting was swept, by name."""
    return {name: column for kind in kinds() for name, column in kind.further_columns.items()}


def axis_symbols() -> dict[str, str]:
    """Axis → symbol, for the axes of all kinds that list values of a setting."""
    return {axis: sweeps.symbol for kind in kinds() for axis, sweeps in axes_of(kind.spec).items()}


def resolve(reference: object) -> Any:
    """The object that a reference ``module:name`` names; an object that is no text is returned as it is."""
    return resolve_name(reference) if isinstance(reference, str) else reference


def spec_of(content: Mapping[str, Any]) -> type[WholeSpec]:
    """The class of the spec that a mapping describes. Raises :class:`SpecError` where ``kind`` names no kind."""
    for kind in kinds():
        if kind.spec.reads(content):
            return kind.spec
    raise SpecError(
        f"kind: found {shown(content.get('kind'))}; allowed: {', '.join(map(repr, kind_names()))}. "
        "If it is one of your own: did you forget --plugin FILE, or plugins=[…] in Python?"
    )


def run_from_json(content: dict[str, Any]) -> AnyRun:
    """The run, of any kind, from the plain values that its ``to_json`` returned."""
    for kind in kinds():
        if kind.run.reads(content):
            return kind.run.from_json(content)
    raise SpecError(f"kind: found a run of kind {shown(content.get('kind'))}, which is not registered here")


def spec_schema() -> dict[str, Any]:
    """JSON schema of a spec of any kind, for editors."""
    union: Any = SweepSpec
    for kind in kinds():
        union |= kind.spec
    return with_swept_left_out(TypeAdapter(union).json_schema(), [kind.spec for kind in kinds()])
