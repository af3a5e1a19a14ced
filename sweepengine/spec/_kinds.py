"""The kinds of sweeps: one record each. Nothing else knows how many there are.

What lies above this package is named by references, ``module:name``, so that reading a spec imports none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic import TypeAdapter

from sweepengine.errors import SpecError, shown
from sweepengine.plugins import current, register
from sweepengine.spec._model import SweepSpec
from sweepengine.spec._particle_run import ParticleRun
from sweepengine.spec._particles import ParticleSpec
from sweepengine.spec._run import Run
from sweepengine.spec._user_model import ModelRun, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from pydantic import BaseModel

    from sweepengine.plugins import CodeKind
    from sweepengine.spec._data import DataSpec
    from sweepengine.spec._fields import WholeSpec


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
    def workers_of_a_run(self) -> int:
        """See :class:`WholeSpec`, as for what follows."""

    def located(self, folder: Path) -> Self:
        """The same with the files that it names looked for from a folder, as a spec in that folder means them."""

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
        """Id of what the limit of infinite width predicts for the run; empty where nothing does."""

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
        """Values of the kind's own columns of the table of runs."""

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:
        """See :class:`SteppedRun`."""

    @classmethod
    def reads(cls, content: dict[str, Any]) -> bool:
        """Whether ``to_json`` of this class has made these plain values."""

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""

    def to_json(self) -> dict[str, Any]: ...
    def trial(self, observables: tuple[str, ...]) -> AnyRun:
        """A run that costs less and calls the same code of users, which records these of their observables alone."""


class Column(NamedTuple):
    """A column of the table of runs.

    Attributes
    ----------
    dtype : type or str
        ``str`` for text.
    fill
        Value of rows that are not there.
    long_name : str
    """

    dtype: Any
    fill: Any
    long_name: str


@dataclass(frozen=True)
class Kind:
    """Everything that is told apart between kinds of sweeps.

    Attributes
    ----------
    name : str
    spec, run : type
        Of a whole sweep, and of one point of it.
    work : str or callable
        Reference to what the plan asks: a :class:`sweepengine.plan.Work` of a spec and its data.
    turn : str or callable
        Reference to what advances runs: a :class:`sweepengine.execute._make_turn.MakeTurn`.
    columns : mapping
        Columns of the table of runs beside those of every kind; :attr:`AnyRun.further_columns` has their values.
    findings : str or Findings
        What the analysis says of it, or a reference to that; empty: summaries and reports refuse such a sweep.
    """

    name: str
    spec: type[WholeSpec]
    run: type[AnyRun]
    work: str | Callable[..., Any]
    turn: str | Callable[..., Any]
    columns: Mapping[str, Column] = field(default_factory=dict)
    findings: object = ""

    def identity(self) -> dict[str, object]:
        """What a fingerprint is taken of: all but the findings, which change no stored number."""
        return {name: value for name, value in vars(self).items() if name != "findings"}


_OF_NETWORKS = "sweepengine.analysis._of_networks:NETWORKS"
KINDS = (
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
"""Those of this package; of two that read a content the first is meant."""


def register_kind(kind: Kind, version: str = "1") -> None:
    """Let specs say ``kind: <name>`` of a kind of sweeps of one's own (docs/extending.md).

    Parameters
    ----------
    kind : Kind
        Its name is what its specs and runs have under ``kind``; its references are resolved where it is used.
    version : str
        Change it whenever the numbers change; other code under the same version is refused.

    Raises
    ------
    SpecError
        The name is taken or cannot be one, or a column has another meaning in another kind.
    """
    if any(kind.name == each.name for each in KINDS):
        raise SpecError(f"kind: the name {kind.name!r} is one of sweepengine's own; choose another")
    for name, column in kind.columns.items():
        if further_columns().get(name, column) != column:
            raise SpecError(f"kind {kind.name}: its column {name!r} means something else in another kind; rename it")
    register("kind", kind.name, version, kind, kind.spec)


def kinds() -> tuple[Kind, ...]:
    """All kinds that this process knows."""
    return (*KINDS, *(entry.content for entry in current("kind").values()))


def kind_names() -> tuple[str, ...]:
    """What a spec may say under ``kind``."""
    return tuple(dict.fromkeys(str(kind.run.kind) for kind in kinds()))


def kind_of(thing: AnySpec | AnyRun) -> Kind:
    """The kind of a spec or a run."""
    return next(kind for kind in kinds() if type(thing) in (kind.spec, kind.run))


def kind_key(spec: AnySpec) -> tuple[tuple[CodeKind, str], ...]:
    """Kind of code and ``name@version``, where a spec's kind is one that users have registered."""
    entry = current("kind").get(kind_of(spec).name)
    return () if entry is None else (("kind", entry.key),)


def further_columns() -> dict[str, Column]:
    """Columns of the table of runs that some kinds have, by name."""
    return {name: column for kind in kinds() for name, column in kind.columns.items()}


def resolve(reference: object) -> Any:
    """What a reference names, ``module:name``; what is there already is itself."""
    return resolve_name(reference) if isinstance(reference, str) else reference


def spec_of(content: Mapping[str, Any]) -> type[WholeSpec]:
    """The class that a mapping is meant for. Raises :class:`SpecError` where its key ``kind`` names none."""
    for kind in kinds():
        if kind.spec.reads(content):
            return kind.spec
    raise SpecError(
        f"kind: found {shown(content.get('kind'))}; allowed: {', '.join(map(repr, kind_names()))}. If it is one of your own: "
        "did you forget --plugin FILE, or plugins=[…] in Python?"
    )


def run_from_json(content: dict[str, Any]) -> AnyRun:
    """The run of any kind that ``to_json`` made these plain values of."""
    for kind in kinds():
        if kind.run.reads(content):
            return kind.run.from_json(content)
    raise SpecError(f"kind: found a run of kind {shown(content.get('kind'))}, which is not registered here")


def spec_schema() -> dict[str, Any]:
    """JSON schema of a spec of any kind, for editors."""
    union: Any = SweepSpec
    for kind in kinds():
        union |= kind.spec
    return TypeAdapter(union).json_schema()
