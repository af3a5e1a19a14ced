"""Activations that are named by their slopes: names, ids, networks, and the limit in closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from sweepengine import theory
from sweepengine.activations import canonical_activation, entry_of, slopes_of
from sweepengine.errors import SpecError
from sweepengine.networks import activation, mlp
from sweepengine.plan import make_plan, predict_limit
from sweepengine.spec import Run, make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

NAME, SLOPES = "piecewise_linear(2, -0.5)", (2.0, -0.5)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("relu", "relu"),
        ("leaky_relu( 0.20 )", "leaky_relu(0.2)"),
        ("leaky_relu(1e-2)", "leaky_relu"),
        ("leaky_relu(0)", "relu"),
        ("leaky_relu(-0.0)", "relu"),
        ("leaky_relu(-1)", "abs"),
        ("piecewise_linear(1, 1)", "identity"),
        ("piecewise_linear(1.0,0.25)", "leaky_relu(0.25)"),
        ("piecewise_linear(2,-5e-1)", NAME),
    ],
)
def test_equal_functions_have_one_name(given: str, kept: str) -> None:
    assert canonical_activation(given) == kept
    assert canonical_activation(kept) == kept


@pytest.mark.parametrize(
    "given", ["leaky_relu()", "leaky_relu(1, 2)", "leaky_relu(x)", "leaky_relu(nan)", "piecewise_linear(0, 0)",
              "piecewise_linear(1)", "piecewise_linear(1, inf)", "hat(1, 2)", "relu(1)", "leaky_relu(0.1))"]
)  # fmt: skip
def test_what_names_no_function_is_refused(given: str, tiny: Tiny) -> None:
    with pytest.raises(ValueError, match=r"found '.*'; (expected a name, or leaky_relu\(SLOPE\)|slopes are finite)"):
        canonical_activation(given)
    with pytest.raises(SpecError, match=r"network\.activation: found"):
        make_spec(tiny(network={"activation": given}))


def test_a_spec_has_slopes_and_its_runs_one_id(tiny: Tiny, tmp_path: Path) -> None:
    """An axis may list them; equal functions are one run, and the name is what the store shows."""
    spec = make_spec(tiny(network={"activation": None}, axes={"activation": ["relu", "leaky_relu(0.20)", NAME]}))
    store = SweepStore(tmp_path / "none.zarr")
    ids = {run.id: run.activation for run in make_plan(spec, store).runs}
    assert set(ids.values()) == {"relu", "leaky_relu(0.2)", NAME}
    plain, written = (make_spec(tiny(network={"activation": name})) for name in ("relu", "piecewise_linear(1, 0)"))
    assert [run.id for run in make_plan(plain, store).runs] == [run.id for run in make_plan(written, store).runs]
    with pytest.raises(SpecError, match="stands twice"):
        make_spec(tiny(network={"activation": None}, axes={"activation": ["relu", "leaky_relu(0)"]}))


@pytest.mark.parametrize("name", [NAME, "leaky_relu(0.2)", "piecewise_linear(-1, 0)", "piecewise_linear(3, 3)"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_slopes_are_those_of_the_definition(name: str, dtype: torch.dtype) -> None:
    above, below = slopes_of(name) or (0.0, 0.0)
    h = torch.tensor([-2.0, -1e-30, 0.0, 1e-30, 3.0, torch.inf, torch.nan], dtype=dtype)
    phi, slope = activation(name)(h)
    wanted = np.where(h.numpy() > 0, above, below).astype(h.numpy().dtype)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(phi.numpy(), wanted * h.numpy())
    np.testing.assert_array_equal(slope.numpy(), wanted)
    assert phi.dtype == slope.dtype == dtype


@pytest.mark.parametrize(("name", "parity"), [("leaky_relu(0.3)", "none"), ("piecewise_linear(2, -2)", "even"),
                                              ("piecewise_linear(2, 2)", "odd")])  # fmt: skip
def test_facts_follow_from_the_slopes(name: str, parity: str) -> None:
    entry = entry_of(name)
    assert entry.parity == parity
    assert entry.smooth == (parity == "odd")
    assert entry.kernel is None  # plain passes: no fused kernel has this φ


def by_angle(q: Any, k: float, above: float, below: float) -> tuple[float, float]:
    """E[φ(u)φ(v)] and E[φ'(u)φ'(v)] by quadrature over the angle of (u, v), with the kinks left between the nodes."""
    theta = (np.arange(400_000) + 0.5) * 2 * np.pi / 400_000
    u, v = np.cos(theta), np.cos(theta - np.arccos(k / np.sqrt(q[0] * q[1])))
    slope_u, slope_v = np.where(u > 0, above, below), np.where(v > 0, above, below)
    both = slope_u * slope_v
    return 2 * np.sqrt(q[0] * q[1]) * float((both * u * v).mean()), float(both.mean())


def test_the_limit_is_that_of_a_quadrature() -> None:
    x = np.array([[1.0, 0.4, -0.3], [0.2, -1.1, 0.5]])
    sigma_w, sigma_b = 1.3, 0.4
    cov = sigma_w**2 * x @ x.T / 3 + sigma_b**2
    made = theory.kernels(
        x, depth=1, activation=theory.piecewise_linear(*SLOPES), sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=0.9
    )
    value, slope = by_angle(np.diag(cov), cov[0, 1], *SLOPES)
    np.testing.assert_allclose(made.nngp[0, 1], 0.9**2 * value, rtol=1e-5)
    np.testing.assert_allclose(made.ntk[0, 1], 0.9**2 * (value + slope * cov[0, 1]), rtol=1e-5)
    other, _ = by_angle(np.diag(cov), cov[0, 1], 2.0, 0.5)
    assert abs(made.nngp[0, 1] - 0.9**2 * other) > 0.05 * made.nngp[0, 1]


def test_wide_networks_have_the_limits_kernel(tiny: Tiny, tmp_path: Path) -> None:
    """The mean over seeds at a large width is a standard error from the predicted kernel, and not from another's."""
    spec = make_spec(tiny(network={"activation": NAME}, axes={"width": [16], "seed": 1}))
    plan = make_plan(spec, SweepStore(tmp_path / "none.zarr"))
    run = plan.runs[0]
    assert isinstance(run, Run)
    data = plan.data_of(run)
    a = run.architecture
    made = np.stack([
        mlp(data.x_train.shape[1], 2048, depth=a.depth, activation=NAME, sigma_w=a.sigma_w, sigma_b=a.sigma_b,
            sigma_a=a.sigma_a, seed=seed).kernel(data.x_train)
        for seed in range(12)
    ])  # fmt: skip
    error = np.linalg.norm(made.std(0, ddof=1)) / np.sqrt(len(made))

    def distance(name: str) -> float:
        limit = predict_limit(replace(run, architecture=replace(a, activation=name)), data)
        return float(np.linalg.norm(made.mean(0) - limit["ntk_train"].values) / error)

    assert distance(NAME) < 2
    assert distance("piecewise_linear(2, 0)") > 10


def test_a_sweep_of_them_is_run_and_compared_with_its_limit(tiny: Tiny, tmp_path: Path) -> None:
    import sweepengine

    spec = tiny(network={"activation": None}, axes={"activation": ["leaky_relu(0.2)", NAME], "width": [16, 64, 256]})
    sweepengine.run(spec, tmp_path / "a.zarr", executor="inline")
    ds = sweepengine.open_sweep(tmp_path / "a.zarr")
    assert sorted(set(ds.activation.values)) == ["leaky_relu(0.2)", NAME]
    one = ds.sweep.select(activation=NAME)
    assert np.isfinite(one.sweep.theory().kernel).all()
    assert set(one.activation.values) == {NAME}
