"""Measures the chosen observables at a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sweepengine.observe._catalogue import observables_of
from sweepengine.observe._user_measure import measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Recorder:
    """Measures observables of one kind of sweep, against what they were at t = 0.

    Parameters
    ----------
    kind : str
    names : sequence of str
        Observables of :func:`sweepengine.observe.declared`, and users' as ``name@version``.
    start : Moment or CloudMoment
        At t = 0, of parameters or particles that the run does not change.
    """

    def __init__(self, kind: str, names: Sequence[str], start: Any) -> None:
        self._start = start
        self._chosen = [("@" in name, each) for name, each in zip(names, observables_of(kind, names), strict=True)]

    def measure(self, now: Any, *, snapshot: bool = True) -> dict[str, Tensor]:
        """The chosen observables at one record, those of snapshots only where it is one.

        Parameters
        ----------
        now : Moment or CloudMoment
        snapshot : bool

        Returns
        -------
        dict of Tensor
            Name → value, of the variable's dims without ``record`` or ``snapshot``, and without ``run`` for a single
            run.

        Raises
        ------
        RunError
            As for :func:`sweepengine.observe._user_measure.measured`.
        """
        due = [(users, each) for users, each in self._chosen if snapshot or not each.variable.is_snapshot]
        return {
            each.name: measured(each, now, self._start) if users else _tensor(each.function(now, self._start))
            for users, each in due
        }


def _tensor(value: Tensor | float) -> Tensor:
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
