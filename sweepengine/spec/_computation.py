"""The spec and the runs of computations: numbers that need no training, such as a distance between given measures."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from sweepengine.spec._canonical import digest
from sweepengine.spec._fields import Count, Section, WholeSpec
from sweepengine.spec._shared import LIST, Name, Seeds, distinct
from sweepengine.spec._stepped import SteppedRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CaseName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ComputationAxes(Section):
    """The swept axes; every combination of their values is one run."""

    case: Annotated[tuple[CaseName, ...], LIST, AfterValidator(distinct)] = Field(
        description="what is computed; claim, or a name that the observables know, such as twin"
    )
    width: Annotated[tuple[Count, ...], LIST, AfterValidator(distinct)] = Field(
        description="size of the computation, such as a number of neurons, features or points"
    )
    seed: Seeds


class ComputationSpec(WholeSpec):
    """A sweep of computations: each run computes its observables once, from its case, its width and its seed."""

    kind: Literal["computation"]
    name: Name
    observables: Annotated[tuple[str, ...], LIST, AfterValidator(distinct)] = Field(
        description="names of the observables that are computed"
    )
    axes: ComputationAxes
    precision: Literal["float64"] = "float64"
    matmul: Literal["full"] = "full"
    data: ClassVar[None] = None
    method_label: ClassVar[str] = "none"

    def located(self, folder: Path) -> Self:  # noqa: ARG002 -- no field is a path
        """See :class:`sweepengine.spec.AnySpec`."""
        return self


@dataclass(frozen=True)
class ComputationRun(SteppedRun):
    """One computation: everything that its numbers depend on, and nothing else.

    Attributes
    ----------
    case : str
        What is computed.
    width, seed : int
        Size of the computation; seed of its random numbers.
    observables : tuple of str
        Names of the observables in canonical order, those of users as ``name@version``.
    data_id : str
        Id of the empty data set.
    time, record_steps : float, tuple of int
        One record, at time 0.
    """

    kind: ClassVar[str] = "computation"
    gamma: ClassVar[float] = 0.5
    alpha: ClassVar[float] = 1.0
    depth: ClassVar[int] = 1
    activation: ClassVar[str] = "none"
    precision: ClassVar[str] = "float64"
    matmul: ClassVar[str] = "full"
    limit_id: ClassVar[str] = ""

    case: str
    width: int
    seed: int
    observables: tuple[str, ...]
    data_id: str
    time: float = 0.0
    record_steps: tuple[int, ...] = (0,)

    @property
    def scaling(self) -> str:
        """The case, by which runs are told apart as networks are by their scaling."""
        return self.case

    @property
    def step_size(self) -> float:
        """A computation takes no step."""
        return 1.0

    @cached_property
    def id(self) -> str:
        """Hash of the run's content."""
        return digest(self.to_json())

    def trial(self, observables: tuple[str, ...]) -> ComputationRun:
        """A run that calls the same users' code and records only the given observables."""
        return replace(self, observables=observables)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which :meth:`from_json` makes an equal run."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ComputationRun:
        """The inverse of :meth:`to_json`."""
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in content.items()}
        del plain["kind"]
        return cls(**plain)


def expand_computations(spec: ComputationSpec, data_id: str, observables: tuple[str, ...]) -> Iterator[ComputationRun]:
    """Yield the runs of a sweep of computations, ordered by width, case and seed."""
    axes = spec.axes
    for width, case, seed in itertools.product(axes.width, axes.case, axes.seed):
        yield ComputationRun(case, width, seed, observables, data_id)
