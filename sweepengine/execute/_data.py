"""What goes into a turn and what comes out: the sweep's arrays, and records; one protocol for every kind of run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sweepengine.spec import kind_of, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sweepengine.execute._shards import Shards
    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape


@dataclass(frozen=True)
class Data:
    """The arrays of one sweep.

    Attributes
    ----------
    x_train, x_test : Tensor, shapes (N, d) and (N_test, d)
        In the precision of the runs.
    y_train, y_test : Tensor, shapes (N [, k]) and (N_test [, k])
    given : mapping
        Kind → name → ndarray of float64: what the runs need beside the points, of :class:`sweepengine.data.Given`.
    """

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    given: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Number of outputs k."""
        return self.y_train.shape[1] if self.y_train.dim() == 2 else 1


@dataclass(frozen=True)
class Record:
    """The values of one record.

    Attributes
    ----------
    index : int
    values : list of dict
        For each run of the turn its variables; None for a run that has diverged before.
    """

    index: int
    values: list[dict[str, NDArray[np.floating]] | None]


class Turn(Protocol):
    """Runs of one block that are advanced together from where they are.

    Attributes
    ----------
    diverged_step : ndarray of int64
        For each run the step at which it diverged, or −1.
    """

    diverged_step: NDArray[np.int64]

    def advance(self) -> Iterator[Record | None]:
        """Go to the end, or until every run has diverged.

        Yields
        ------
        Record or None
            A record when one is due, the first first; None after each step. Whenever it yields, :meth:`state` holds
            what continues from there.
        """

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that a resume needs, as arrays: among them ``step``, ``due`` and ``diverged_step``."""


class MakeTurn(Protocol):
    """Makes what advances some runs of one block: what :attr:`sweepengine.spec.Kind.turn` names."""

    def __call__(
        self,
        runs: list[Any],
        data: Data,
        state: Mapping[str, NDArray[np.generic]] | None,
        shape: BlockShape,
        shards: Shards,
        *,
        cuda_graphs: bool,
    ) -> Turn:
        """The turn of runs, all of one kind.

        Parameters
        ----------
        runs : list of AnyRun
            One, unless :attr:`~sweepengine.spec.AnyRun.shares_turns`.
        data : Data
        state : mapping of ndarray or None
            What :meth:`Turn.state` gave; without it the runs start at t = 0.
        shape : BlockShape
            Of the block.
        shards : Shards
            This worker among those that advance the run together.
        cuda_graphs : bool
            Whether steps are recorded once and replayed, where they are alike.
        """


def make_turn(
    runs: list[AnyRun],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,
    shards: Shards,
    *,
    cuda_graphs: bool = False,
) -> Turn:
    """What advances some runs, as their kind has it."""
    made: MakeTurn = resolve(kind_of(runs[0]).turn)
    return made(runs, data, state, shape, shards, cuda_graphs=cuda_graphs)
