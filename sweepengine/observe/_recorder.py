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
    """Measures the chosen observables of a run, or of a group of runs, at its records.

    Parameters
    ----------
    kind : str
    names : sequence of str
        Names of :func:`sweepengine.observe.declared`, and users' observables as ``name@version``.
    start : Moment or CloudMoment
        The moment at t = 0, with its own copy of the parameters or particles.
    """

    def __init__(self, kind: str, names: Sequence[str], start: Any) -> None:
        self._start = start
        self._chosen = [("@" in name, each) for name, each in zip(names, observables_of(kind, names), strict=True)]

    def measure(self, now: Any, *, snapshot: bool = True) -> dict[str, Tensor]:
        """Measure the chosen observables at one record.

        Parameters
        ----------
        now : Moment or CloudMoment
        snapshot : bool
            Whether the record is a snapshot; if not, the observables over snapshots are left out.

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
        values: dict[str, Tensor] = {}
        for is_users, observable in self._chosen:
            if observable.variable.is_snapshot and not snapshot:
                continue
            if is_users:
                values[observable.name] = measured(observable, now, self._start)
            else:
                values[observable.name] = _tensor(observable.function(now, self._start))
        return values


def _tensor(value: Tensor | float) -> Tensor:
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
