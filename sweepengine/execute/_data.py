"""The arrays that a turn reads, the records that it yields, and its protocol, the same for all kinds of runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sweepengine.networks import Inputs
    from sweepengine.spec import Architecture


@dataclass(frozen=True)
class Data:
    """The arrays of one sweep.

    Attributes
    ----------
    x_train, x_test : Tensor, shapes (N, d) and (N_test, d)
        In the precision of the runs.
    y_train, y_test : Tensor, shapes (N [, k]) and (N_test [, k])
    given : mapping
        Kind → name → ndarray of float64: the arrays that the runs need beside the points; see
        :class:`sweepengine.data.Given`.
    """

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    given: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    _prepared: dict[Architecture, tuple[Inputs, Inputs]] = field(default_factory=dict, init=False, repr=False)

    def inputs(self, architecture: Architecture) -> tuple[Inputs, Inputs]:
        """The training and the test points, prepared once for networks of one architecture that follow each other."""
        if architecture not in self._prepared:
            from sweepengine.networks import Inputs  # imports torch, which a driver does not need

            self._prepared.clear()  # those of the last architecture are enough, and the Gram matrix of points is large
            train, test = (Inputs.prepare(x, architecture) for x in (self.x_train, self.x_test))
            self._prepared[architecture] = (train, test)
        return self._prepared[architecture]

    @property
    def outputs(self) -> int:
        """Number of outputs k."""
        return self.y_train.shape[1] if self.y_train.dim() == 2 else 1


@dataclass(frozen=True)
class Record:
    """The values that the runs of a turn have at one record.

    Attributes
    ----------
    index : int
        Number of the record, from 0.
    values : list of dict or None
        One entry for each run of the turn: name of the variable → array; None for a run that has diverged before.
    """

    index: int
    values: list[dict[str, NDArray[np.floating]] | None]


class Turn(Protocol):
    """Runs of one block that are advanced together, from t = 0 or from a saved state.

    Attributes
    ----------
    diverged_step : ndarray of int64, shape (R,)
        The step at which each run diverged, −1 for a run that has not diverged.
    """

    diverged_step: NDArray[np.int64]

    def advance(self) -> Iterator[Record | None]:
        """Advance the runs to their end, or until every run has diverged.

        Yields
        ------
        Record or None
            A record when a record is due, the first one before any step; None after each step. At each yield
            :meth:`state` returns the state from which a later turn continues.
        """

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return everything that a resume needs, as arrays.

        Among them are ``step``, ``due`` (the index of the next record) and ``diverged_step``.
        """
