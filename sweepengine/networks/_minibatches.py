"""The minibatch of a step of stochastic descent, a function of the seed and the step's number alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sweepengine.streams import Role, choices, permutation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Minibatches:
    """The batches of one run.

    Without replacement an epoch is the ⌊N/B⌋ whole batches of a random order of the points; the N mod B points that are
    left over are not seen in this epoch. So every step has B different points, every point is equally likely to be
    among them, and a step needs no memory of earlier steps. With replacement the B points of every step are
    independent.

    Parameters
    ----------
    seed : int
        Seed of the run. The batches are the same at every width and in every pack.
    points : int
        N.
    batch_size : int
        B ≤ N; any B ≥ 1 with replacement.
    replacement : bool

    Raises
    ------
    ValueError
        B is larger than N without replacement.
    """

    def __init__(self, seed: int, points: int, batch_size: int, replacement: bool) -> None:
        if not replacement and batch_size > points:
            raise ValueError(f"found batches of {batch_size} out of {points} points; take smaller ones, or replacement")
        self._seed, self._points, self._size, self._replacement = seed, points, batch_size, replacement
        self._order = lru_cache(maxsize=1)(lambda epoch: permutation(seed, Role.MINIBATCH, points, epoch))

    def batch(self, step: int) -> NDArray[np.intp]:
        """Indices of the points that a step sees, shape (B,)."""
        if self._replacement:
            return choices(self._seed, Role.MINIBATCH, self._size, self._points, step)
        epoch, place = divmod(step, self._points // self._size)
        return self._order(epoch)[place * self._size : (place + 1) * self._size]
