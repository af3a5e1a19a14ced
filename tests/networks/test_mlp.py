"""`mlp`: the network of a sweep by hand, bit for bit, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine import SpecError
from sweepengine.networks import mlp
from tests.support.networks_reference import Oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("network", "axes", "precision"),
    [
        ({"depth": 1, "activation": "tanh"}, {"scaling": ["ntk"], "width": [16]}, "float64"),
        ({"depth": 2, "activation": "relu", "sigma_b": 0.3}, {"scaling": ["mean_field"], "width": [300]}, "float32"),
        ({"centred": True, "readout": "signs", "trained": "last_layer"}, {"scaling": [0.75], "width": [32]}, "float64"),
    ],
    ids=["ntk", "mean-field, deep, float32", "centred, last layer"],
)
def test_a_network_by_hand_has_the_bits_of_the_sweep(
    tiny: Tiny, tmp_path: Path, network: dict[str, Any], axes: dict[str, Any], precision: str
) -> None:
    content = tiny(
        network=network,
        axes=axes | {"seed": [3]},
        data={"n_train": 40, "n_test": 20},
        precision=precision,
        observables=["outputs_train", "outputs_test", "kernel", "kernel_test_train"],
    )
    sweepengine.run(content, tmp_path / "a.zarr", executor="inline")
    ds = sweepengine.open_sweep(tmp_path / "a.zarr").isel(run=0).compute()
    x, x_test = ds.inputs_train.values, ds.inputs_test.values
    settings = {**content["network"], "scaling": axes["scaling"][0], "precision": precision}
    made = mlp(x.shape[1], axes["width"][0], seed=3, **settings)
    for record in range(ds.sizes["record"]):
        time = float(ds.time[record])
        now = made.train(x, ds.targets_train.values, time=time, step_size=0.25) if time else made
        assert now.time == time
        np.testing.assert_array_equal(now.outputs(x), ds.outputs_train[record])
        np.testing.assert_array_equal(now.outputs(x_test), ds.outputs_test[record])
        np.testing.assert_array_equal(now.kernel(x), ds.kernel[record])
        np.testing.assert_array_equal(now.kernel(x_test, x), ds.kernel_test_train[record])


def test_training_goes_on_where_it_was() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 3)), rng.standard_normal(7)
    start = mlp(3, 20, activation="tanh", sigma_b=0.2)
    before = start.parameters
    twice = start.train(x, y, time=1.0, step_size=0.25).train(x, y, time=2.0, step_size=0.25)
    once = start.train(x, y, time=3.0, step_size=0.25)
    assert twice.time == once.time == 3.0
    assert all(np.array_equal(twice.parameters[name], values) for name, values in once.parameters.items())
    assert all(np.array_equal(start.parameters[name], values) for name, values in before.items())
    assert np.mean((once.outputs(x) - y) ** 2) < np.mean((start.outputs(x) - y) ** 2)


def test_the_kernel_is_that_of_autograd() -> None:
    """A second derivation, with a wrong scaling as its negative twin."""
    rng = np.random.default_rng(1)
    x, x2 = rng.standard_normal((5, 6)), rng.standard_normal((4, 6))
    made = mlp(6, 9, depth=2, activation="erf", sigma_w=1.3, sigma_b=0.4, scaling=0.8, outputs=2)
    oracle = Oracle(made.network.architecture, made.network.parameters, 0.8, 1.0)
    expected = oracle.kernel(torch.from_numpy(x), torch.from_numpy(x2)).numpy()
    np.testing.assert_allclose(made.kernel(x, x2), expected, rtol=1e-9)
    other = mlp(6, 9, depth=2, activation="erf", sigma_w=1.3, sigma_b=0.5, scaling=0.8, outputs=2)
    assert not np.allclose(other.kernel(x, x2), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "tahn"}, "Did you mean 'tanh'"),
        ({"scaling": "meanfield"}, "found 'meanfield'; expected ntk, mean_field or a number"),
        ({"precision": "float16"}, "found 'float16'"),
        ({"readout": "one"}, "readout: found 'one'"),
        ({"trained": "none"}, "found trained parameters 'none'"),
        ({"width": 0}, "expected 1 widths and sizes"),
    ],
)
def test_networks_that_there_are_not(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mlp(**({"d": 3, "width": 8} | change))


def test_points_targets_and_methods_that_do_not_fit() -> None:
    made = mlp(3, 8)
    x = np.ones((4, 3))
    with pytest.raises(ValueError, match=r"x: found the shape \(4, 2\); expected \(N, 3\)"):
        made.outputs(np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"y: found the shape \(3,\); expected \(4,\)"):
        made.train(x, np.ones(3), time=1.0, step_size=0.5)
    with pytest.raises(SpecError, match=r"step_size"):
        made.train(x, np.ones(4), time=1.0, step_size=0.3)
    with pytest.raises(ValueError, match=r"method: found 'rk45'; expected one .*: gd"):
        made.train(x, np.ones(4), time=1.0, step_size=0.5, method="rk45")
    with pytest.raises(ValueError, match="loss: found 'MSE'"):
        made.train(x, np.ones(4), time=1.0, step_size=0.5, loss="MSE")
    with pytest.raises(FloatingPointError, match="take a smaller step size"):
        mlp(3, 8, activation="identity").train(100 * x, np.ones(4), time=2e4, step_size=100.0)
