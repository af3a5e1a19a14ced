"""The values of the chosen variables at one record, each from a moment and the moment at t = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.observe._kernel_measures import KERNEL_MEASURES
from sweepengine.observe._linalg import operator_norm
from sweepengine.observe._linear_measures import LINEAR_MEASURES
from sweepengine.observe._moment import Moment, Problem
from sweepengine.observe._movement_measures import MOVEMENT_MEASURES
from sweepengine.observe._output_measures import OUTPUT_MEASURES
from sweepengine.observe._signal_measures import SIGNAL_MEASURES
from sweepengine.observe._solver_measures import SOLVER_MEASURES
from sweepengine.observe._taylor_measures import TAYLOR_MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

__all__ = ["MEASURES", "Moment", "Problem", "Recorder", "operator_norm"]

MEASURES: dict[str, Callable[[Moment, Moment], Tensor]] = {
    **OUTPUT_MEASURES,
    **KERNEL_MEASURES,
    **MOVEMENT_MEASURES,
    **SIGNAL_MEASURES,
    **LINEAR_MEASURES,
    **SOLVER_MEASURES,
    **TAYLOR_MEASURES,
}
"""Variable → its value from the moment and that at t = 0, of the variable's dims without ``record``."""


class Recorder:
    """Measures the chosen variables of a group of networks against what they were at t = 0.

    Parameters
    ----------
    names : sequence of str
        Variables of :data:`sweepengine.observe.VARIABLES`.
    start : Moment
        The networks at t = 0, of parameters that training does not change.
    """

    def __init__(self, names: Sequence[str], start: Moment) -> None:
        self._start = start
        self._names = tuple(names)

    def measure(self, now: Moment) -> dict[str, Tensor]:
        """The chosen variables at one record.

        Returns
        -------
        dict of Tensor
            Variable → value, of the variable's dims without ``record``, and without ``run`` for a single network.
        """
        return {name: MEASURES[name](now, self._start) for name in self._names}
