"""Curves of a power law in the width, exact and with noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine import analysis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


WIDTHS = np.array([32, 64, 128, 256, 512, 1024, 2048])
LOG_M = np.log(WIDTHS.astype(float))


def simulate(
    trials: int, seeds: int, *, p: float, noise: float, rng_seed: int, b: float = 0.0, q: float = 0.5
) -> Floats:
    """(trials, seeds, 7): A m^-p (1 + b m^-q) times log-normal noise, half of it shared by a seed's widths."""
    rng = np.random.default_rng(rng_seed)
    z = math.sqrt(0.5) * (rng.standard_normal((trials, seeds, 1)) + rng.standard_normal((trials, seeds, 7)))
    m = WIDTHS.astype(float)
    return np.asarray(m**-p * (1 + b * m**-q) * np.exp(noise * z))


def curves(values: Floats, widths: NDArray[Any] = WIDTHS) -> analysis.Curves:
    return analysis.Curves(widths, np.arange(values.shape[0]), values)
