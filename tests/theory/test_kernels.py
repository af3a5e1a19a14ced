"""NNGP and NTK against an independent library, exact cases, finite networks, and themselves computed otherwise."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepengine import theory
from sweepengine.theory import _kernels

Floats = npt.NDArray[Any]
Reference = Callable[[str], dict[str, npt.NDArray[Any]]]
Sphere = Callable[[int, int], Floats]

SPECS: list[theory.ActivationSpec] = [
    "relu",
    "abs",
    ("leaky_relu", 0.3),
    ("leaky_relu", -0.4),
    "erf",
    "gelu",
    "sin",
    "tanh",
]


def _worst(found: Floats, expected: Floats, diagonal: bool) -> float:
    rows, cols = np.triu_indices(len(found))
    chosen = (rows == cols) == diagonal
    error = np.abs(found[rows, cols] - expected)[chosen]
    return float(error.max() / np.abs(expected).max())


@pytest.mark.parametrize("row", range(48))
@pytest.mark.parametrize("data", ["digits", "rand"])
def test_reference_library(row: int, data: str, reference: Reference) -> None:
    ref = reference("kernels")
    settings_: dict[str, Any] = {
        "depth": int(ref["depth"][row]),
        "activation": str(ref["activation"][row]),
        "sigma_b": float(ref["sigma_b"][row]),
        "output_bias": True,
    }
    sigma_w = float(ref["sigma_w"][row])
    found = theory.kernels(ref[f"x_{data}"], sigma_w=sigma_w, **settings_)
    wrong = theory.kernels(ref[f"x_{data}"], sigma_w=1.0001 * sigma_w, **settings_)
    # The library's own error: 2.2e-8 on the relu NTK's diagonal, else rounding.
    loose = 2.3e-8 if settings_["activation"] == "relu" else 1e-14
    nngp, ntk = ref[f"{data}_nngp"][row], ref[f"{data}_ntk"][row]
    assert _worst(found.nngp, nngp, True) < 1e-14
    assert _worst(found.nngp, nngp, False) < 1e-14
    assert _worst(found.ntk, ntk, True) < loose
    assert _worst(found.ntk, ntk, False) < 1e-14
    assert _worst(wrong.nngp, nngp, False) > 1e-6
    assert _worst(wrong.ntk, ntk, True) > 1e-6


def test_read_out_has_its_own_sigma_and_bias(sphere: Sphere) -> None:
    x = sphere(6, 4)
    both: dict[str, Any] = {"depth": 3, "activation": "erf", "sigma_w": 1.3, "sigma_b": 0.4}
    plain = theory.kernels(x, **both)
    same = theory.kernels(x, **both, sigma_a=1.3)
    np.testing.assert_array_equal(plain.ntk, same.ntk)
    biased = theory.kernels(x, **both, output_bias=True)
    np.testing.assert_allclose(biased.nngp - plain.nngp, 0.16, rtol=1e-13)
    np.testing.assert_allclose(biased.ntk - plain.ntk, 0.16, rtol=1e-13)
    double = theory.kernels(x, **both, sigma_a=2.6)
    np.testing.assert_allclose(double.nngp, 4 * plain.nngp, rtol=1e-14)
    np.testing.assert_allclose(double.ntk, 4 * plain.ntk, rtol=1e-14)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_linear_networks(depth: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 3))
    gram = x @ x.T / 3
    for spec in ("identity", theory.piecewise_linear(1, 1)):
        found = theory.kernels(x, depth=depth, activation=spec, sigma_w=1.0, sigma_b=0.0)
        np.testing.assert_allclose(found.nngp, gram, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(found.ntk, (depth + 1) * gram, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 1.5e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("depth", [1, 3, 10])
def test_relu_diagonal_is_exact(
    dtype: type[np.floating], limit: float, sigma_b: float, depth: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((64, 7)).astype(dtype)
    found = theory.kernels(x, depth=depth, activation="relu", sigma_w=2**0.5, sigma_b=sigma_b)
    again = theory.kernels(x, x.copy(), depth=depth, activation="relu", sigma_w=2**0.5, sigma_b=sigma_b)
    # (√2)² is not 2: what is asked is the kernel of the sigma_w that is given.
    half = np.longdouble(2**0.5) ** 2 / 2
    limit = max(limit, float(np.finfo(np.float64).eps) * depth)  # one rounding a layer
    q = 2 * half * np.square(x.astype(np.longdouble)).sum(1) / 7 + sigma_b**2
    ntk = q.copy()
    for layer in range(depth):
        q = half * q + (sigma_b**2 if layer < depth - 1 else 0)
        ntk = q + half * ntk
    for kernels in (found, again):
        assert kernels.ntk.dtype == dtype
        assert np.abs(np.diagonal(kernels.nngp) / q - 1).max() < limit
        assert np.abs(np.diagonal(kernels.ntk) / ntk - 1).max() < limit


def _relu_by_long_double(theta: np.longdouble, depth: int) -> tuple[float, float]:
    """K and Θ over K(x, x) for unit vectors at angle θ in the plane, σ_w = 2 (a square without rounding), σ_b = 0."""
    pi = np.longdouble(np.pi) + np.longdouble("1.2246467991473531772e-16")
    rho = np.cos(theta)
    k = ntk = rho
    for _ in range(depth):
        slope = (pi - theta) / pi
        k = (np.sin(theta) + (pi - theta) * np.cos(theta)) / pi
        ntk = k + slope * ntk
        theta = np.arccos(k)
    return float(k), float(ntk)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("side", [0, 1])
def test_near_parallel_and_near_antipodal_pairs(depth: int, side: int) -> None:
    angles = np.geomspace(1e-8, 0.5, 12) if depth == 1 else np.geomspace(1e-3, 0.5, 9)
    unit = np.array([[1.0, 0.0]])
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * (-1 if side else 1)
    found = theory.kernels(unit, points, depth=depth, activation="relu", sigma_w=2.0, sigma_b=0.0)
    pi = np.longdouble(np.pi) + np.longdouble("1.2246467991473531772e-16")
    naive = []
    for i, angle in enumerate(angles):
        theta = pi - np.longdouble(angle) if side else np.longdouble(angle)
        k, ntk = _relu_by_long_double(theta, depth)
        size = 2.0 ** (depth + 1)  # K(x, x): 2 in the first layer, doubled by each
        assert abs(found.nngp[0, i] / size - k) < 6e-16
        assert abs(found.ntk[0, i] / size - ntk) < 6e-16 * (depth + 1)
        rounded = np.arccos(np.clip(unit[0] @ points[i], -1, 1))
        naive.append(abs(_relu_by_long_double(np.longdouble(rounded), depth)[1] - ntk))
    if depth == 1 and side == 0:
        assert max(naive) > 1e-9


def test_exactly_antipodal_and_exactly_parallel_inputs(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 9)).astype(np.float32)
    opposite = theory.kernels(x, -x, depth=1, activation="relu", sigma_w=1.0, sigma_b=0.0)
    assert not np.diagonal(opposite.nngp).any()
    assert not np.diagonal(opposite.ntk).any()
    twice = theory.kernels(x.astype(float), 2 * x.astype(float), depth=3, activation="relu", sigma_w=1.0, sigma_b=0.0)
    once = theory.kernels(x.astype(float), depth=3, activation="relu", sigma_w=1.0, sigma_b=0.0)
    np.testing.assert_allclose(np.diagonal(twice.ntk), 2 * np.diagonal(once.ntk), rtol=2e-15)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("sigma_b", [0.0, 0.5])
def test_layers_add_up_to_the_kernels(spec: theory.ActivationSpec, sigma_b: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal((9, 3))
    x[1] = x[0] + 1e-5
    x[2] = -x[0]
    y = rng.standard_normal((4, 3))
    for second in (None, y):
        for depth, bias in ((1, True), (4, False)):
            arch: dict[str, Any] = {
                "depth": depth,
                "activation": spec,
                "sigma_w": 1.4,
                "sigma_b": sigma_b,
                "sigma_a": 0.8,
            }
            fast = theory.kernels(x, second, **arch, output_bias=bias)
            layers = theory.layer_kernels(x, second, **arch, output_bias=bias)
            size = float(np.abs(fast.ntk).max())
            assert np.abs(fast.nngp - layers.nngp).max() < 4e-15 * size
            assert np.abs(fast.ntk - layers.ntk).max() < 4e-15 * size
            assert len(layers.weight_terms) == depth + 1
            assert len(layers.bias_terms) == depth + bias


def test_trained_parts() -> None:
    x = np.array([[1.0, 0.2], [0.3, -0.8], [-0.5, 0.4]])
    layers = theory.layer_kernels(x, depth=2, activation="erf", sigma_w=1.2, sigma_b=0.3, sigma_a=0.9, output_bias=True)
    last = layers.tangent_kernel([2], [2])
    np.testing.assert_allclose(last, layers.nngp, rtol=1e-15)
    everything = layers.tangent_kernel([0, 1, 2], [0, 1, 2])
    np.testing.assert_array_equal(everything, layers.ntk)
    with pytest.raises(theory.ParameterError, match=r"weights \[3\]"):
        layers.tangent_kernel([3])
    np.testing.assert_allclose(
        theory.h_infinity(x),
        theory.layer_kernels(x, depth=1, activation="relu", sigma_w=2**0.5, sigma_b=0.0, sigma_a=1.0).weight_terms[0],
        rtol=1e-15,
    )


def test_backward_recursion_limit() -> None:
    x = np.array([[1.0, 0.2], [0.3, -0.8]])
    layers = theory.layer_kernels(x, depth=3, activation="gelu", sigma_w=1.2, sigma_b=0.3, sigma_a=0.9)
    np.testing.assert_allclose(layers.gradients[2], 0.81 * layers.slopes[2], rtol=1e-15)
    for layer in (0, 1):
        np.testing.assert_allclose(
            layers.gradients[layer], 1.44 * layers.slopes[layer] * layers.gradients[layer + 1], rtol=1e-15
        )


@given(
    st.sampled_from(["relu", "abs", "erf", "gelu", "sin", "tanh", "quadratic"]),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.7]),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_symmetric_positive_semidefinite_and_tile_free(
    spec: str, depth: int, sigma_b: float, n: int, seed: int
) -> None:
    x = np.random.default_rng(seed).standard_normal((n, 3))
    arch: dict[str, Any] = {"depth": depth, "activation": spec, "sigma_w": 0.9, "sigma_b": sigma_b}
    found = theory.kernels(x, **arch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_kernels, "_TILE_BYTES", 8 * 7**2)
        small = theory.kernels(x, **arch)
    for kernel, other in ((found.nngp, small.nngp), (found.ntk, small.ntk)):
        np.testing.assert_array_equal(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel)[0] > -1e-14 * n * np.abs(kernel).max()
        assert np.abs(kernel - other).max() <= 2e-15 * np.abs(kernel).max()


@pytest.mark.parametrize("spec", ["relu", "erf"])
def test_blocks_are_the_whole(spec: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((50, 4))
    arch: dict[str, Any] = {"depth": 2, "activation": spec, "sigma_w": 1.1, "sigma_b": 0.2}
    whole = theory.kernels(x, **arch)
    seen = np.zeros(50, bool)
    for rows, block in theory.kernel_blocks(x, rows=16, **arch):
        np.testing.assert_allclose(block.ntk, whole.ntk[rows], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(block.nngp, whole.nngp[rows], rtol=1e-14, atol=1e-15)
        assert not seen[rows].any()
        seen[rows] = True
    assert seen.all()


@pytest.mark.parametrize("spec", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("apart", [False, True])
def test_threads_give_the_values_of_one(spec: str, apart: bool, rng: np.random.Generator) -> None:
    x = rng.standard_normal((700, 5)).astype(np.float32)
    arch: dict[str, Any] = {"depth": 2, "activation": spec, "sigma_w": 1.1, "sigma_b": 0.2}
    pair = (x[:450], x[450:]) if apart else (x,)
    one, three = (theory.kernels(*pair, **arch, threads=threads) for threads in (1, 3))
    for found, expected in ((three.nngp, one.nngp), (three.ntk, one.ntk)):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6 * float(np.abs(expected).max()))
        if not apart:
            np.testing.assert_array_equal(found, found.T)
            np.testing.assert_array_equal(expected, expected.T)


def test_no_threads_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(theory.ParameterError, match="threads"):
        theory.kernels(rng.standard_normal((3, 2)), depth=1, activation="relu", sigma_w=1, sigma_b=0, threads=0)


@pytest.mark.parametrize("threads", [1, 3])
def test_memory_is_as_predicted_and_twenty_thousand_points_fit(threads: int) -> None:
    x = np.random.default_rng(0).standard_normal((1200, 32))
    arch: dict[str, Any] = {"depth": 3, "activation": "relu", "sigma_w": 1.4, "sigma_b": 0.1, "threads": threads}
    tracemalloc.start()
    theory.kernels(x, **arch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < theory.kernel_bytes(1200, 1200, np.float64, 32, threads)
    assert theory.kernel_bytes(20_000, 20_000, np.float64, 784) < 8e9


@pytest.mark.parametrize("spec", ["relu", "erf", "tanh"])
def test_one_hidden_layer_of_finite_width_has_exactly_these_means(spec: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    act = theory.activation(spec)
    sigma_w, sigma_b, sigma_a = 1.3, 0.5, 0.8
    neurons = 300_000
    h = sigma_w / 2 * rng.standard_normal((neurons, 4)) @ x.T + sigma_b * rng.standard_normal((neurons, 1))
    a = sigma_a * rng.standard_normal((neurons, 1))
    phi, slope = act.function(h), a * act.derivative(h)
    first = sigma_w**2 * x @ x.T / 4 + sigma_b**2
    found = theory.kernels(x, depth=1, activation=spec, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a)
    for i in range(3):
        for j in range(i + 1):
            gp = sigma_a**2 * phi[:, i] * phi[:, j]
            tangent = gp + first[i, j] * slope[:, i] * slope[:, j]
            for draws, kernel in ((gp, found.nngp), (tangent, found.ntk)):
                error = draws.std() / np.sqrt(neurons)
                assert abs(draws.mean() - kernel[i, j]) < 4 * error
                assert abs(draws.mean() - 1.05 * kernel[i, j]) > 4 * error or abs(kernel[i, j]) < 80 * error


def test_dtypes_and_bad_inputs() -> None:
    arch: dict[str, Any] = {"depth": 1, "activation": "relu", "sigma_w": 1.0, "sigma_b": 0.0}
    x = np.ones((2, 3), np.float32)
    assert theory.kernels(x, **arch).ntk.dtype == np.float32
    assert theory.kernels(x, x.astype(np.float64), **arch).ntk.dtype == np.float64
    assert theory.kernels([[1, 2]], **arch).ntk.dtype == np.float64
    with pytest.raises(theory.ShapeError, match=r"reshape one point to \(1, d\)"):
        theory.kernels(np.ones(3), **arch)
    with pytest.raises(theory.ShapeError, match="d = 3 features and x2 has 4"):
        theory.kernels(x, np.ones((2, 4)), **arch)
    with pytest.raises(theory.NonFiniteError, match=r"first at index \[1, 0\]"):
        theory.kernels([[1.0], [np.nan]], **arch)
    with pytest.raises(theory.ParameterError, match="float16"):
        theory.kernels(np.ones((2, 3), np.float16), **arch)
    with pytest.raises(theory.ParameterError, match="depth"):
        theory.kernels(x, **{**arch, "depth": 0})
    with pytest.raises(theory.ParameterError, match="sigma_b = -1"):
        theory.kernels(x, **{**arch, "sigma_b": -1})
    with pytest.raises(theory.NonFiniteError, match="overflows"), np.errstate(over="ignore"):
        theory.kernels(100 * x.astype(float), **{**arch, "activation": "exp"})


@pytest.mark.parametrize("spec", ["relu", "abs", ("leaky_relu", -0.9), ("leaky_relu", 0.95)], ids=str)
@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(1.0, 1.0), (1.0, 0.01), (0.7, 1.0)])
def test_deep_networks_forget_their_inputs_without_losing_digits(
    spec: theory.ActivationSpec, sigma_w: float, sigma_b: float, rng: np.random.Generator
) -> None:
    """Angles shrink by a factor each layer, far below the rounding of ρ: the state must follow."""
    x = rng.standard_normal((20, 6))
    depth = 80
    arch: dict[str, Any] = {"depth": depth, "activation": spec, "sigma_w": sigma_w, "sigma_b": sigma_b}
    double = theory.kernels(x, **arch)
    single = theory.kernels(x.astype(np.float32), **arch)
    careful = theory.layer_kernels(x, **arch)
    # One rounding of s and s' a layer, relative to the entry.
    assert np.abs(careful.ntk - double.ntk).max() < depth * 4e-15 * np.abs(double.ntk).max()
    assert np.abs(single.ntk - double.ntk).max() < depth * 2.4e-7 * np.abs(double.ntk).max()


def test_overflow_of_the_dtype_is_an_error_not_an_infinity() -> None:
    x = np.ones((2, 3))
    arch: dict[str, Any] = {"depth": 200, "activation": "abs", "sigma_w": 2**0.5, "sigma_b": 0.0}
    assert np.isfinite(theory.kernels(x, **arch).ntk).all()
    for compute in (theory.kernels, theory.layer_kernels):
        with pytest.raises(theory.NonFiniteError, match="too much for float32"):
            compute(x.astype(np.float32), **arch)
    with pytest.raises(theory.NonFiniteError, match="use float64"):
        theory.kernels(x.astype(np.float32), x[:1].astype(np.float32), **arch)


def test_zero_inputs_without_bias() -> None:
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    for spec in SPECS[:5]:
        found = theory.kernels(x, depth=3, activation=spec, sigma_w=1.0, sigma_b=0.0)
        assert not found.nngp[0].any()
        assert not found.ntk[:, 0].any()
        assert found.ntk[1, 1] > 0


def test_outputs() -> None:
    kernel = np.array([[2.0, 1.0], [1.0, 3.0]])
    full = theory.expand_outputs(kernel, 3)
    assert full.shape == (6, 6)
    four = np.einsum("ij,op->ijop", kernel, np.eye(3))
    np.testing.assert_array_equal(theory.flatten_outputs(four), full)
    with pytest.raises(theory.ShapeError, match=r"expected \(N1, N2, k, k\)"):
        theory.flatten_outputs(kernel)


def test_error_of_quadrature_is_reported_and_closed_forms_report_none(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 3))
    arch: dict[str, Any] = {"depth": 2, "sigma_w": 1.2, "sigma_b": 0.3}
    found = theory.kernels(x, activation="tanh", **arch)
    act = theory.activation("tanh")
    longer = theory.kernels(x, activation=theory.from_callable(act.function, act.derivative, terms=400), **arch)
    assert np.abs(found.ntk - longer.ntk).max() < 4 * found.error + 1e-13
    assert longer.error < found.error < 1e-7
    assert theory.kernels(x, activation="erf", **arch).error == 0.0


@pytest.mark.parametrize("spec", ["relu", "erf"])
def test_two_hidden_layers_of_finite_width(spec: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    arch: dict[str, Any] = {"depth": 2, "sigma_w": 1.3, "sigma_b": 0.4, "sigma_a": 0.8}
    limit = theory.kernels(x, activation=spec, **arch)
    phi = theory.activation(spec)
    width, networks = 512, 60
    first = 1.3**2 * x @ x.T / 4 + 0.4**2
    nngp, ntk = np.empty((networks, 3, 3)), np.empty((networks, 3, 3))
    for s in range(networks):
        w0, w1, a = (rng.standard_normal(shape) for shape in ((width, 4), (width, width), width))
        b0, b1 = rng.standard_normal((2, width))
        h1 = 1.3 / 2 * x @ w0.T + 0.4 * b0
        h2 = 1.3 / np.sqrt(width) * phi.function(h1) @ w1.T + 0.4 * b1
        g2 = 0.8 * a * phi.derivative(h2)
        g1 = 1.3 / np.sqrt(width) * g2 @ w1 * phi.derivative(h1)
        gram = [phi.function(h) @ phi.function(h).T / width for h in (h1, h2)]
        slope = [g @ g.T / width for g in (g1, g2)]
        nngp[s] = 0.64 * gram[1]
        # The layerwise identity, theory.md §2.2.
        ntk[s] = nngp[s] + (1.69 * gram[0] + 0.16) * slope[1] + first * slope[0]
    for draws, kernel in ((nngp, limit.nngp), (ntk, limit.ntk)):
        error = draws.std(0, ddof=1) / np.sqrt(networks)
        bias = 2 * np.abs(kernel).max() / width  # O(1/m) for L = 2
        assert (np.abs(draws.mean(0) - kernel) < 4 * error + bias).all()
        assert (np.abs(draws.mean(0) - 1.1 * kernel) > 4 * error + bias)[np.diag_indices(3)].all()


@pytest.mark.slow
def test_twenty_thousand_points_in_eight_gigabytes() -> None:
    x = np.random.default_rng(0).standard_normal((20_000, 64))
    tracemalloc.start()
    found = theory.kernels(x, depth=3, activation="relu", sigma_w=2**0.5, sigma_b=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < theory.kernel_bytes(20_000, 20_000, np.float64, 64) < 8e9
    assert found.ntk[17, 19_003] == found.ntk[19_003, 17]
