"""What an observable of a computation sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sweepengine.observe._conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made")


@dataclass(frozen=True)
class Case:
    """One computation.

    Attributes
    ----------
    name : str
        The case: ``claim``, or another name that the observable knows.
    width, seed : int
        Size of the computation, and seed of its random numbers.
    """

    name: str
    width: int
    seed: int
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def generator(self) -> np.random.Generator:
        """The random numbers of the computation: a new generator each time, the same for all observables of a run."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, self.width])))

    def once(self, make: Callable[[Case], Made]) -> Made:
        """The value of a function of the case, which is called once for all observables of a run."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made


def widths(least: int, multiple: int = 1) -> Condition:
    """The condition that a spec's widths are ones that an observable can take: not too small, multiples of a number."""

    def refused(spec: Any) -> list[int]:
        return [width for width in spec.axes.width if width < least or width % multiple]

    of = f" that is a multiple of {multiple}" if multiple > 1 else ""
    return Condition(
        lambda spec: not refused(spec),
        lambda spec: f"takes a width of at least {least}{of}; found {refused(spec)[0]} under axes.width",
    )


def cases(*names: str) -> Condition:
    """The condition that a spec asks for no other cases than an observable knows."""

    def refusal(spec: Any) -> str:
        unknown = [case for case in spec.axes.case if case not in names]
        return f"knows the cases {', '.join(names)}; found {', '.join(unknown)} under axes.case"

    return Condition(lambda spec: set(spec.axes.case) <= set(names), refusal)
