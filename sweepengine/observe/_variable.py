"""What a variable says of itself. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OUTPUT_DIMS = ("output", "output_other")
"""Dims over the k outputs, which a variable has for k ≥ 2 only."""
SNAPSHOT = "snapshot"
"""The dim, in the place of ``record``, of what is kept at some records only."""


@dataclass(frozen=True)
class Variable:
    """One stored observable.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Always beginning with ``run, record``, or ``run, snapshot`` for what is kept at some records only; the values are floats of the run's precision. The dims
        :data:`OUTPUT_DIMS` are there for k ≥ 2 outputs only; see :func:`variables_of`.
    long_name, units, source : str
        ``units`` is "1" for a number without unit; ``source`` cites the definition.
    needs_mse : bool
        Whether it is defined for the squared error only.
    needs_closed_form : bool
        Whether it compares with gradient descent or flow on a linear model, and so not for minibatches or momentum.
    needs : tuple of str
        What has to be computed for it, which is its cost: names of :data:`sweepengine.observe.INGREDIENTS`.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str
    needs_mse: bool = False
    needs_closed_form: bool = False
    needs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_snapshot(self) -> bool:
        """Whether it is kept at some records only."""
        return self.dims[1] == SNAPSHOT

    def to_json(self) -> dict[str, Any]:
        """What a store says of it, as plain values."""
        description = {"long_name": self.long_name, "units": self.units, "source": self.source}
        return {"name": self.name, "dims": list(self.dims)} | description

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Variable:
        """A variable from what a store says of it."""
        return cls(**content | {"dims": tuple(content["dims"])})
