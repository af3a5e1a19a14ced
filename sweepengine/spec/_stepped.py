"""What runs of every kind have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Collection


class SteppedRun:
    """A run whose records lie at steps of one size.

    Attributes
    ----------
    kind : str
        What a spec says under ``kind``.
    time : float
        Time of the last record.
    record_steps : tuple of int
        The first is 0, the last is the number of steps.
    """

    kind: ClassVar[str]
    time: float
    record_steps: tuple[int, ...]

    @classmethod
    def reads(cls, content: dict[str, Any]) -> bool:
        """Whether ``to_json`` of this class has made these plain values."""
        return bool(content.get("kind", "networks") == cls.kind)

    @property
    def n_steps(self) -> int:
        """Number of steps; for an adaptive method, of the grid on which its records lie."""
        return self.record_steps[-1]

    @property
    def step_size(self) -> float:
        """Step = time / steps."""
        return self.time / self.n_steps

    @property
    def shares_turns(self) -> bool:
        """Whether runs of one block can be advanced together."""
        return False

    @property
    def further_columns(self) -> dict[str, Any]:
        """Values of the columns of the table of runs that this kind has beside those of every kind."""
        return {}

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:  # noqa: ARG002 -- nothing, where a kind does not say
        """Kind → id of what a run needs beside its data; ``needed`` are the fields of specs that its observables use."""
        return {}
