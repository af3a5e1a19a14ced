"""The overlay: what infinite width predicts for a sweep's own data, architecture and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.activations import entry_of, slopes_of
from sweepengine.store import StoredArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.data import Dataset
    from sweepengine.spec import Architecture, Run

LIMIT_ARRAYS = 10
"""Number of arrays of one prediction."""


def limit_bytes(records: int, n_train: int, n_test: int, outputs: int) -> int:
    """Uncompressed bytes of one prediction."""
    kernels = 2 * n_train**2 + 2 * n_test * n_train + n_test**2 + n_train
    return 8 * (kernels + (outputs + 1) * records * (n_train + n_test))


def has_limit(a: Architecture) -> bool:
    """Whether :mod:`sweepengine.theory` has the limit of an architecture.

    There is no limit for an activation that the theory does not list, for given weights, which have no law, and for
    rows of W⁰ on the sphere, which are not Gaussian at any width. A read-out of signs has the limits of a Gaussian
    read-out. A read-out of ones has them only if the features have mean zero, that is for an odd φ without biases, and
    if there is one hidden layer. With other features f_0 grows like √m (theory.md §1.2); with more
    layers the signals g depend on the features that they multiply.
    """
    from sweepengine import theory

    if a.weights or a.first_layer != "gaussian":
        return False
    if slopes_of(a.activation) is None and a.activation not in theory.known_activations():
        return False
    return a.readout != "ones" or (entry_of(a.activation).odd and a.sigma_b == 0 and a.depth == 1)


def predict_limit(run: Run, data: Dataset) -> dict[str, StoredArray]:
    """Kernels of the infinitely wide network, and the outputs of its trained ensemble at every record.

    Parameters
    ----------
    run : Run
        Any run of the architecture and schedule. Its width, seed, γ and α do not matter.
    data : Dataset

    Returns
    -------
    dict of StoredArray
        The arrays that :func:`sweepengine.open_theory` lists. The outputs are those of gradient descent with the run's
        step, or of gradient flow for the methods that follow it, at γ = 1/2 and α = 1. They are NaN without a closed
        form (any cost but mse, minibatches, momentum), and if descent with this step diverges for the limit's kernel.
        All arrays are NaN if :func:`has_limit` is False. The k ≥ 2 outputs are independent in the limit and differ in
        their targets alone: they share the kernels and deviations, and each output has its own mean.
    """
    from sweepengine import theory

    train = len(data.y_train)
    points = np.concatenate([data.x_train, data.x_test])
    known = has_limit(run.architecture)
    nngp_all, ntk_all = _kernels(run.architecture, points) if known else np.full((2, *[len(points)] * 2), np.nan)
    (nngp, nngp_cross, nngp_test), (ntk, ntk_cross, _) = (
        (kernel[:train, :train], kernel[train:, :train], kernel[train:, train:]) for kernel in (nngp_all, ntk_all)
    )
    records, outputs = len(run.record_steps), data.y_train.shape[1:]
    mean_train, std_train = np.full((records, train, *outputs), np.nan), np.full((records, train), np.nan)
    mean_test = np.full((records, len(data.y_test), *outputs), np.nan)
    std_test = np.full((records, len(data.y_test)), np.nan)
    kind = run.method.dynamics
    step_size = run.step_size if kind == "descent" else None
    dynamics = theory.KernelDynamics.of(ntk, step=step_size) if known else None
    eigenvalues = np.full(train, np.nan) if dynamics is None else dynamics.eigenvalues
    # Centred networks all start at f = 0, so their outputs do not fluctuate.
    fluctuation = 0.0 if run.architecture.centred else 1.0
    solved = kind is not None and run.loss == "mse"
    if dynamics is not None and solved and (step_size is None or step_size < dynamics.largest_stable_step):
        for record, step in enumerate(run.record_steps):  # one record at a time: a covariance is a whole matrix
            time = step * run.step_size
            on_train = theory.train_ensemble(dynamics, time, data.y_train, nngp)
            on_test = theory.query_ensemble(
                dynamics,
                time,
                data.y_train,
                kernel_cross=ntk_cross,
                nngp_train=nngp,
                nngp_cross=nngp_cross,
                nngp_query=nngp_test,
            )
            mean_train[record], std_train[record] = on_train.mean, fluctuation * _deviation(on_train.covariance)
            mean_test[record], std_test[record] = on_test.mean, fluctuation * _deviation(on_test.covariance)
    over = ("output",) if outputs else ()
    in_theory, ensemble = (
        "theory.md §3.1; Jacot et al. 2018, Thm 1; Xu 2021, §3-4",
        "theory.md §3.5; Lee et al. 2019; Xu 2021, §5.2",
    )
    return {
        "nngp_train": StoredArray(("i", "j"), nngp, "covariance of outputs at t = 0, training points", in_theory),
        "nngp_test_train": StoredArray(
            ("test", "i"), nngp_cross, "the same between test and training points", in_theory
        ),
        "nngp_test": StoredArray(("test", "test_other"), nngp_test, "the same, test points", in_theory),
        "ntk_train": StoredArray(("i", "j"), ntk, "limit of the tangent kernel, training points", in_theory),
        "ntk_test_train": StoredArray(("test", "i"), ntk_cross, "the same between test and training points", in_theory),
        "eigenvalues": StoredArray(("mode",), eigenvalues, "eigenvalues of ntk_train, ascending", in_theory),
        "outputs_mean_train": StoredArray(
            ("record", "i", *over), mean_train, "mean over networks of the trained output", ensemble
        ),
        "outputs_std_train": StoredArray(("record", "i"), std_train, "its standard deviation", ensemble),
        "outputs_mean_test": StoredArray(
            ("record", "test", *over), mean_test, "mean over networks of the trained output", ensemble
        ),
        "outputs_std_test": StoredArray(("record", "test"), std_test, "its standard deviation", ensemble),
    }


def _kernels(a: Architecture, x: NDArray[np.float64]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The NNGP, and the tangent kernel of the trained parameters."""
    from sweepengine import theory

    slopes = slopes_of(a.activation)
    settings: dict[str, Any] = {
        "depth": a.depth,
        "activation": a.activation if slopes is None else theory.piecewise_linear(*slopes),
        "sigma_w": a.sigma_w,
        "sigma_b": a.sigma_b,
        "sigma_a": a.sigma_a,
        "output_bias": a.output_bias,
    }
    if a.trained == "all":
        both = theory.kernels(x, **settings)
        return both.nngp, both.ntk
    layers = theory.layer_kernels(x, **settings)
    if a.trained == "hidden_weights":
        return layers.nngp, layers.tangent_kernel(range(a.depth))
    return layers.nngp, layers.nngp  # the last layer's tangent kernel is the NNGP itself (theory.md §3.5)


def _deviation(covariance: NDArray[np.floating]) -> NDArray[np.floating]:
    # Rounding may leave −1e-17 where the ensemble has converged to one value.
    deviation: NDArray[np.floating] = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    return deviation
