"""The description of a variable in a store. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

OUTPUT_DIMS = ("output", "output_other")
"""Dims over the k outputs, which a variable has for k ≥ 2 only."""
SNAPSHOT = "snapshot"
"""The dim in the place of ``record`` for variables that are kept at some records only."""


@dataclass(frozen=True)
class Variable:
    """The array that a store keeps of an observable, over runs and records, and its description.

    Attributes
    ----------
    name : str
    dims : tuple of str
        They begin with ``run, record``, or with ``run, snapshot`` if the variable is kept at some records only. The
        values are floats of the run's precision. The dims :data:`OUTPUT_DIMS` exist for k ≥ 2 outputs only; see
        :func:`sweepengine.observe.variables_of`.
    long_name, units, source : str
        ``units`` is "1" for a number without unit; ``source`` cites the definition.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str

    @cached_property
    def is_snapshot(self) -> bool:
        """Whether the variable is kept at some records only."""
        return self.dims[1] == SNAPSHOT

    def to_json(self) -> dict[str, Any]:
        """The variable as plain values, for a store."""
        description = {"long_name": self.long_name, "units": self.units, "source": self.source}
        return {"name": self.name, "dims": list(self.dims)} | description

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Variable:
        """The variable of plain values that :meth:`to_json` has made."""
        return cls(**content | {"dims": tuple(content["dims"])})
