"""Initial parameters: drawn from counter-based streams, or read from arrays of another program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

from sweepengine.data import open_arrays, parameter_names
from sweepengine.errors import DataError
from sweepengine.networks._parameters import Parameters
from sweepengine.streams import Role, gaussian_matrix

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from sweepengine.spec import Architecture

    Matrix = NDArray[np.float64]

FirstLayer = Literal["gaussian", "sphere"]
Readout = Literal["gaussian", "signs", "ones"]


@dataclass(frozen=True)
class Law:
    """The law of the initial parameters; parameters that it does not name are N(0, 1).

    Attributes
    ----------
    first_layer : str
        ``gaussian``; or ``sphere``: every row of W⁰ uniform on the unit sphere of R^d. All d entries of a row enter its
        norm, so sphere rows are nested in the width and not in d.
    readout : str
        ``gaussian``; ``signs``: a = ±1, the signs of the Gaussian read-out of the same seed, so that the two are
        coupled; ``ones``: a = 1 (theory.md §1.2).
    """

    first_layer: FirstLayer = "gaussian"
    readout: Readout = "gaussian"

    def __post_init__(self) -> None:
        for field, value, known in (
            ("first_layer", self.first_layer, get_args(FirstLayer)),
            ("readout", self.readout, get_args(Readout)),
        ):
            if value not in known:
                raise ValueError(f"{field}: found {value!r}; known are {', '.join(known)}")

    def shape_first_layer(self, gaussian: Matrix) -> Matrix:
        """W⁰ of this law from Gaussian rows, shape (n_1, d)."""
        return gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True) if self.first_layer == "sphere" else gaussian

    def shape_readout(self, gaussian: Matrix) -> Matrix:
        """W^L of this law from Gaussian numbers, shape (m, k)."""
        if self.readout == "gaussian":
            return gaussian
        return np.copysign(1.0, gaussian) if self.readout == "signs" else np.ones_like(gaussian)


def initialise(
    architecture: Architecture,
    width: int | Sequence[int],
    d: int,
    seed: int,
    dtype: torch.dtype,
    *,
    outputs: int = 1,
    law: Law | None = None,
    device: torch.device | str = "cpu",
) -> Parameters:
    """Draw one network, nested across widths and across numbers of outputs (theory.md §1.2).

    Parameters
    ----------
    architecture : Architecture
    width : int or sequence of int
        One width for all hidden layers, or a width for each: n_1 … n_L.
    d, seed, outputs : int
        Input dimension; seed of every stream; k ≥ 1.
    dtype : torch.dtype
        Of the parameters, which are drawn in float64 and rounded.
    law : Law, optional
    device : device or str

    Returns
    -------
    network : Parameters
        Without the dim R.

    Raises
    ------
    ValueError
        The number of widths is not the depth, or a size is below 1.
    """
    depth, law = architecture.depth, law or Law()
    widths = [width] * depth if isinstance(width, int) else list(width)
    if len(widths) != depth or min(*widths, d, outputs) < 1:
        raise ValueError(f"found widths {widths}, d = {d}, {outputs} outputs; expected {depth} widths and sizes ≥ 1")
    sizes, draw = [d, *widths], partial(gaussian_matrix, seed)

    def tensor(values: ArrayLike) -> Tensor:
        return torch.from_numpy(np.array(values, dtype=np.float64, order="C")).to(device=device, dtype=dtype)

    # W⁰ is stored by columns: for small d this makes its update, a product of m × N by N × d, a fifth faster.
    weights = [draw(Role.WEIGHT, layer, sizes[layer + 1], sizes[layer]) for layer in range(depth)]
    weights[0] = law.shape_first_layer(weights[0])
    readout = law.shape_readout(draw(Role.READOUT, depth, widths[-1], outputs))
    single, biased = outputs == 1, architecture.sigma_b > 0
    biases = [tensor(draw(Role.BIAS, layer, n, 1)[:, 0]) for layer, n in enumerate(widths if biased else ())]
    output_bias = None
    if architecture.output_bias:
        drawn = draw(Role.OUTPUT_BIAS, depth, outputs, 1)[:, 0]
        output_bias = tensor(drawn[0] if single else drawn)
    return Parameters(
        hidden=tuple(tensor(weight) if layer else tensor(weight.T).mT for layer, weight in enumerate(weights)),
        biases=tuple(biases),
        readout=tensor(readout[:, 0] if single else readout),
        output_bias=output_bias,
    )


def from_arrays(
    arrays: Mapping[str, ArrayLike],
    architecture: Architecture,
    dtype: torch.dtype,
    *,
    fan_in_first: bool = False,
    device: torch.device | str = "cpu",
) -> Parameters:
    """One network from explicit weights.

    Parameters
    ----------
    arrays : mapping
        ``W0`` … ``W<L-1>`` of shapes (n_{l+1}, n_l); ``b0`` … ``b<L-1>`` (n_{l+1}) where σ_b > 0; ``W<L>`` (m,) or
        (m, k); ``b<L>`` (k,) where there is an output bias. They are the O(1) parameters of theory.md §1.1, before any
        multiplier. Other names are ignored.
    architecture : Architecture
    dtype : torch.dtype
    fan_in_first : bool
        Whether the hidden weights have shapes (n_l, n_{l+1}), as in programs for JAX.
    device : device or str

    Returns
    -------
    network : Parameters
        Without the dim R.

    Raises
    ------
    DataError
        An array is missing, has a shape that does not fit the others, or holds a number that is not finite.
    """
    depth = architecture.depth

    def read(name: str) -> Tensor:
        if name not in arrays:
            raise DataError(f"weights: no array {name!r}; found {', '.join(sorted(arrays))}")
        values = np.array(arrays[name], dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"weights: {name} holds numbers that are not finite")
        return torch.from_numpy(values)

    hidden = [read(f"W{layer}") for layer in range(depth)]
    if fan_in_first:
        hidden = [weight.mT for weight in hidden]
    readout = read(f"W{depth}")
    readout = readout[:, 0] if readout.dim() == 2 and readout.shape[1] == 1 else readout
    biases = [read(f"b{layer}") for layer in range(depth)] if architecture.sigma_b > 0 else []
    output_bias = read(f"b{depth}") if architecture.output_bias else None
    _check_shapes(hidden, biases, readout, output_bias)
    output_bias = None if output_bias is None else output_bias.reshape(readout.shape[1:])
    built = Parameters(tuple(hidden), tuple(biases), readout, output_bias)
    return built.map(lambda tensor: tensor.to(device=device, dtype=dtype).contiguous())


def _check_shapes(hidden: list[Tensor], biases: list[Tensor], readout: Tensor, output_bias: Tensor | None) -> None:
    for layer, weight in enumerate(hidden):
        expected = hidden[layer - 1].shape[0] if layer else None
        if weight.dim() != 2 or (expected is not None and weight.shape[1] != expected):
            raise DataError(
                f"weights: W{layer} has shape {tuple(weight.shape)}; expected (n_{layer + 1}, {expected or 'd'}), "
                "or its transpose with fan_in_first"
            )
    for layer, bias in enumerate(biases):
        if bias.shape != hidden[layer].shape[:1]:
            raise DataError(f"weights: b{layer} has shape {tuple(bias.shape)}; expected ({hidden[layer].shape[0]},)")
    if readout.dim() not in (1, 2) or readout.shape[0] != hidden[-1].shape[0]:
        raise DataError(
            f"weights: the read-out has shape {tuple(readout.shape)}; expected ({hidden[-1].shape[0]} [, k])"
        )
    outputs = readout[0].numel()
    if output_bias is not None and output_bias.numel() != outputs:
        raise DataError(f"weights: the output bias has shape {tuple(output_bias.shape)}; expected {outputs} numbers")


def load_parameters(
    path: str | os.PathLike[str],
    architecture: Architecture,
    dtype: torch.dtype,
    *,
    prefix: str = "",
    fan_in_first: bool = False,
    device: torch.device | str = "cpu",
) -> Parameters:
    """One network from a ``.npz`` file; see :func:`from_arrays`.

    Parameters
    ----------
    path : path
        The file is read without unpickling, so nothing in it is executed.
    prefix : str
        Text before the name of every array in the file.
    architecture, dtype, fan_in_first, device
        As for :func:`from_arrays`.

    Returns
    -------
    network : Parameters
        Without the dim R.

    Raises
    ------
    DataError
        The file cannot be read as plain arrays, or an array does not fit.
    """
    names = parameter_names(architecture.depth, biases=architecture.sigma_b > 0, output_bias=architecture.output_bias)
    with open_arrays(path, "weights") as file:
        arrays = {name: file.read(f"{prefix}{name}") for name in names}
    return from_arrays(arrays, architecture, dtype, fan_in_first=fan_in_first, device=device)
