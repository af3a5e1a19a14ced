"""Reference numbers and small problems shared by the theory tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Floats = npt.NDArray[Any]
DATA = Path(__file__).parent / "data"


def _load(name: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, npt.NDArray[Any]]]:
    """Load one file of tests/theory/data."""
    return _load


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240917)


@pytest.fixture
def sphere(rng: np.random.Generator) -> Callable[[int, int], Floats]:
    """Draw points (n, d) of norm √d."""

    def draw(n: int, d: int) -> Floats:
        x = rng.standard_normal((n, d))
        return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True) * np.sqrt(d))

    return draw
