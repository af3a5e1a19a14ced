"""What a store says of a variable. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OUTPUT_DIMS = ("output", "output_other")
"""Dims over the k outputs, which a variable has for k ≥ 2 only."""
SNAPSHOT = "snapshot"
"""The dim, in the place of ``record``, of what is kept at some records only."""


@dataclass(frozen=True)
class Variable:
    """What is stored of an observable: an array over runs and records, and its description.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Always beginning with ``run, record``, or ``run, snapshot`` for what is kept at some records only; the values
        are floats of the run's precision. The dims :data:`OUTPUT_DIMS` are there for k ≥ 2 outputs only; see
        :func:`sweepengine.observe.variables_of`.
    long_name, units, source : str
        ``units`` is "1" for a number without unit; ``source`` cites the definition.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str

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
