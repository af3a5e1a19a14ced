"""The base class of the runs of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Collection


class SteppedRun:
    """A run whose records lie at steps of one size.

    Attributes
    ----------
    kind : str
        Value of ``kind`` in the specs of such runs.
    time : float
        Time of the last record.
    record_steps : tuple of int
        Steps of the records; the first is 0, the last is the number of steps.
    """

    kind: ClassVar[str]
    time: float
    record_steps: tuple[int, ...]

    @classmethod
    def reads(cls, content: dict[str, Any]) -> bool:
        """Whether these plain values are what ``to_json`` of this class returns."""
        return bool(content.get("kind", "networks") == cls.kind)

    @property
    def n_steps(self) -> int:
        """Number of steps; for an adaptive method, of the grid on which its records lie."""
        return self.record_steps[-1]

    @property
    def step_size(self) -> float:
        """Size of a step: time / number of steps."""
        return self.time / self.n_steps

    @property
    def shares_turns(self) -> bool:
        """Whether runs of one block can be advanced together."""
        return False

    @property
    def further_columns(self) -> dict[str, Any]:
        """Values in the columns that only this kind has in the table of runs."""
        return {}

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:  # noqa: ARG002 -- some kinds need nothing
        """Kind → id of the arrays that a run needs beside its data; ``needed``: spec fields that observables use."""
        return {}
