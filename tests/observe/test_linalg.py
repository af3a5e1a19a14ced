"""Operator norms: the short way against singular values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sweepengine.observe import _linalg
from sweepengine.observe.measure import operator_norm

GENERATOR = torch.Generator().manual_seed(3)


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def of_spectrum(sizes: Tensor, rows: int, columns: int) -> Tensor:
    left, right = (torch.linalg.qr(gaussian(side, len(sizes))).Q for side in (rows, columns))
    matrix: Tensor = left @ torch.diag(sizes) @ right.mT
    return matrix


MATRICES = {
    "dense": gaussian(300, 260),
    "wide": gaussian(200, 900),
    "few directions": of_spectrum(1.0 / torch.arange(1, 40, dtype=torch.float64), 400, 300),
    "two that are largest": of_spectrum(torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64), 256, 256),
    "nearly two": of_spectrum(torch.tensor([2.0, 2.0 - 1e-9, 1.0], dtype=torch.float64), 256, 256),
    "without ones": gaussian(256, 256) - gaussian(256, 256).mean(1, keepdim=True),
    "nothing": torch.zeros(256, 256, dtype=torch.float64),
    "a group": gaussian(2, 256, 200),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("steps", [_linalg.LANCZOS_STEPS, 3], ids=["enough steps", "too few"])
def test_norm_is_the_largest_singular_value(name: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_linalg, "LANCZOS_STEPS", steps)
    matrix = MATRICES[name]
    torch.testing.assert_close(operator_norm(matrix), torch.linalg.svdvals(matrix)[..., 0], rtol=1e-12, atol=1e-14)


NARROW = {
    "dense": gaussian(512, 64),
    "wide": gaussian(17, 900),
    "one direction": of_spectrum(torch.tensor([3.0], dtype=torch.float64), 400, 30),
    "graded columns": gaussian(512, 64) * torch.logspace(0, -6, 64, dtype=torch.float64),
    "of one sign": gaussian(4096, 40).abs(),
    "a group": gaussian(2, 100, 7),
}


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("size", [1e-22, 1.0, 1e22], ids=["squares underflow", "usual", "squares overflow"])
def test_norm_in_float32_has_the_error_of_its_gram_matrix(name: str, size: float) -> None:
    matrix = (size * NARROW[name]).to(torch.float32)
    exact = torch.linalg.svdvals(matrix.to(torch.float64))[..., 0]
    bound = 32 * 2.0**-24 * matrix.to(torch.float64).square().sum((-1, -2)) / (2 * exact)
    found = operator_norm(matrix)
    assert found.dtype == torch.float64
    assert (abs(found - exact) <= bound).all()
    assert (bound < 1e-4 * exact).all()


class Decomposed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sides of the matrices whose eigenvalues are computed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sides: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "eigh" in str(func):
            self.sides.append(args[0].shape[-1])
        return func(*args, **(kwargs or {}))


def test_changes_of_layers_settle_without_a_decomposition() -> None:
    matrix = MATRICES["few directions"]
    for given, wholly in ((matrix, False), (matrix[:, :40], True)):  # a small one is decomposed at once
        with Decomposed() as seen:
            operator_norm(given)
        assert (given.shape[1] in seen.sides) == wholly
        assert wholly or max(seen.sides, default=0) < 100


def test_what_is_not_finite_has_no_norm() -> None:
    matrix = gaussian(2, 256, 256)
    matrix[1, 5, 7] = torch.inf
    found = operator_norm(matrix)
    assert torch.isfinite(found[0])
    assert torch.isnan(found[1])
