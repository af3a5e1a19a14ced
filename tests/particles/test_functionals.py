"""Functionals: each term against its definition, a central difference, and automatic differentiation."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sweepengine import particles as pt

F64 = torch.float64
CLOUD = pt.gaussian_cloud(1, 40, 3)
REFERENCE = pt.gaussian_cloud(2, 23, 3) + 0.5
INPUTS = pt.gaussian_cloud(3, 11, 2)
TARGETS = INPUTS[:, 0].sin()
LABELS = INPUTS[:, 0].sign()


def w(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cos(x[:, None, 0] - y[None, :, 0]) + (x[:, None] - y[None, :]).square().sum(2).add(1).sqrt()


TERMS: dict[str, Any] = {
    "squared": pt.Risk(pt.Neuron(2, "tanh"), INPUTS, TARGETS),
    "logistic": pt.Risk(pt.Neuron(2, "erf"), INPUTS, LABELS, cost="logistic"),
    "bounded": pt.Risk(pt.Neuron(2, "relu", output="tanh"), INPUTS, TARGETS),
    "relu": pt.Risk(pt.Neuron(2, "relu", scale=1.7, input_scale=0.6), INPUTS, TARGETS),
    "no output weight": pt.Risk(pt.Neuron(2, "gelu", output="none", bias=True), INPUTS, TARGETS),
    "relu, no output weight": pt.Risk(pt.Neuron(2, "relu", output="none", bias=True, bias_scale=0.5), INPUTS, TARGETS),
    "own unit, own cost": pt.Risk(
        pt.CallableUnit(lambda t, x: (t[:, :2] @ x.T).tanh() * t[:, 2:].sin()),
        INPUTS,
        TARGETS,
        cost=pt.CallableCost(lambda f, y: (f - y).pow(4) + f),
        weights=torch.linspace(0.1, 0.5, 11, dtype=F64),
        offset=TARGETS / 3,
    ),
    "quadratic": pt.quadratic(0.7, 0.3),
    "ridge": pt.ridge(0.2),
    "double well": pt.double_well(0.7, 1.2),
    "own potential": pt.Potential(lambda x: x.prod(1).cos()),
    "quadratic interaction": pt.QuadraticInteraction(0.8),
    "gaussian interaction": pt.Interaction(pt.GaussianKernel(0.9)),
    "riesz interaction": pt.Interaction(pt.RieszKernel(1.3)),
    "own interaction": pt.Interaction(pt.CallableKernel(w)),
    "gaussian discrepancy": pt.Discrepancy(pt.GaussianKernel(1.1), REFERENCE),
    "energy distance": pt.Discrepancy(pt.RieszKernel(), REFERENCE),
}
every_term = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)


@every_term
def test_the_velocity_is_minus_m_times_the_gradient_of_the_value(term: Any) -> None:
    """On particles −∇(δF/δμ)(θ_k) = −m ∂F/∂θ_k exactly: a central difference of the value must say the same."""
    functional = pt.Functional([term])
    velocity = functional.velocity(CLOUD, pt.Partition(chunk=7))
    direction = pt.gaussian_cloud(9, 40, 3)
    step = 1e-6
    ahead, behind = (functional.value(CLOUD + sign * step * direction) for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    found = float(-(velocity * direction).sum() / len(CLOUD))
    assert found == pytest.approx(slope, rel=2e-8, abs=1e-9)
    assert found / len(CLOUD) != pytest.approx(slope, rel=0.5, abs=1e-6)  # twin: no 1/m


@every_term
def test_the_velocity_descends_the_first_variation(term: Any) -> None:
    field = pt.Functional([term]).field(CLOUD)
    points = pt.gaussian_cloud(5, 6, 3)
    for coordinate in range(3):
        e = torch.zeros(3, dtype=F64)
        e[coordinate] = 1e-6
        slope = (field.first_variation(points + e) - field.first_variation(points - e)) / 2e-6
        torch.testing.assert_close(field.velocity(points)[:, coordinate], -slope, rtol=1e-7, atol=1e-8)


@every_term
def test_the_first_variation_is_the_derivative_along_mixtures(term: Any) -> None:
    """d/ds F((1 − s) μ + s ν) at s = 0 is ∫δF/δμ d(ν − μ) (theory.md §5.2); mixtures as multisets, s = j/N exactly."""
    mu, nu = CLOUD[:4], CLOUD[4:8] * 1.5
    copies = 500  # the mixture takes k of μ's copies away for k of ν's

    def at(k: int) -> float:
        return float(term.value(torch.cat([mu.repeat(copies - k, 1), nu.repeat(k, 1)]), pt.Partition(chunk=2000)))

    # A one-sided difference of second order, as s < 0 is no measure; F is smooth in s.
    slope = (4 * at(1) - 3 * at(0) - at(2)) / 2 * copies
    variation = pt.Functional([term])
    found = float(variation.first_variation(nu, mu).mean() - variation.first_variation(mu, mu).mean())
    assert found == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_the_interaction_needs_its_half() -> None:
    """Twin of the above: without the ½ of ½∬W the derivative is twice the first variation ∫W dμ."""
    kernel = pt.GaussianKernel(0.9)
    mu, nu = CLOUD[:4], CLOUD[4:8]
    field = pt.Functional([pt.Interaction(kernel)])
    found = float(field.first_variation(nu, mu).mean() - field.first_variation(mu, mu).mean())

    def double(x: torch.Tensor) -> float:
        return float(kernel.totals(x, x).sum()) / len(x) ** 2

    copies = 500
    values = [double(torch.cat([mu.repeat(copies - k, 1), nu.repeat(k, 1)])) for k in range(3)]
    slope = (4 * values[1] - 3 * values[0] - values[2]) / 2 * copies
    assert found == pytest.approx(slope / 2, rel=1e-4)
    assert found != pytest.approx(slope, rel=0.4)


def test_closed_forms_agree_with_automatic_differentiation() -> None:
    """The same ψ, V, W written as plain functions and differentiated by torch."""

    def psi(t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return 1.7 * t[:, 3:].tanh() * (0.6 * t[:, :2] @ x.T + 0.4 * t[:, 2:3]).clamp_min(0)

    def gaussian(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (-(x[:, None] - y[None]).square().sum(2) / (2 * 0.81)).exp()

    unit = pt.Neuron(2, "relu", output="tanh", bias=True, scale=1.7, input_scale=0.6, bias_scale=0.4)
    cloud = pt.gaussian_cloud(4, 30, 4)
    pairs: list[tuple[Any, Any]] = [
        (pt.Risk(unit, INPUTS, TARGETS), pt.Risk(pt.CallableUnit(psi), INPUTS, TARGETS)),
        (pt.double_well(0.3), pt.Potential(lambda x: 0.3 * (x**2 - 1).square().sum(1) / 4)),
        (pt.Interaction(pt.GaussianKernel(0.9)), pt.Interaction(pt.CallableKernel(gaussian))),
        (
            pt.QuadraticInteraction(),
            pt.Interaction(pt.CallableKernel(lambda x, y: (x[:, None] - y).square().sum(2) / 2)),
        ),
    ]
    for closed, automatic in pairs:
        one, other = pt.Functional([closed]), pt.Functional([automatic])
        assert one.value(cloud) == pytest.approx(other.value(cloud), rel=1e-13)
        torch.testing.assert_close(one.velocity(cloud), other.velocity(cloud), rtol=1e-12, atol=1e-13)


def test_the_energy_distance_is_zero_only_between_equal_measures() -> None:
    term = pt.Discrepancy(pt.RieszKernel(), REFERENCE)
    assert term.value(REFERENCE, pt.Partition()) == pytest.approx(0, abs=1e-14)
    assert term.value(REFERENCE.repeat(2, 1), pt.Partition()) == pytest.approx(0, abs=1e-14)
    assert term.value(REFERENCE + 0.1, pt.Partition()) > 1e-3


@every_term
@pytest.mark.parametrize(
    "partition", [pt.Partition(chunk=1), pt.Partition(chunk=9, threads=2), pt.Partition(chunk=64, threads=3)]
)
def test_chunks_and_threads_change_nothing_beyond_rounding(term: Any, partition: pt.Partition) -> None:
    functional = pt.Functional([term, pt.ridge(0.1)])
    base = pt.Partition(chunk=1000)
    assert functional.value(CLOUD, partition) == pytest.approx(functional.value(CLOUD, base), rel=1e-13, abs=1e-14)
    torch.testing.assert_close(
        functional.velocity(CLOUD, partition), functional.velocity(CLOUD, base), rtol=1e-12, atol=1e-13
    )


@every_term
def test_duplicated_and_permuted_particles_move_as_before(term: Any) -> None:
    functional = pt.Functional([term])
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    velocity = functional.velocity(CLOUD)
    torch.testing.assert_close(functional.velocity(CLOUD[order]), velocity[order], rtol=1e-12, atol=1e-13)
    twice = functional.velocity(CLOUD.repeat(2, 1))
    torch.testing.assert_close(twice, velocity.repeat(2, 1), rtol=1e-12, atol=1e-13)
    assert functional.value(CLOUD.repeat(2, 1)) == pytest.approx(functional.value(CLOUD), rel=1e-13)


def test_shards_reduce_outputs_only() -> None:
    """Two shards in two threads, their sums exchanged: the seam for an all-reduce."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    functional = pt.Functional([TERMS["relu"], pt.QuadraticInteraction(), pt.double_well()])
    whole = functional.velocity(CLOUD)
    barrier, board = Barrier(2), dict[int, torch.Tensor]()
    sizes = list[int]()

    def shard(rank: int) -> tuple[torch.Tensor, float]:
        def reduce(x: torch.Tensor) -> torch.Tensor:
            sizes.append(x.numel())
            board[rank] = x
            barrier.wait()
            total = board[0] + board[1]
            barrier.wait()
            return total

        part = CLOUD[:13] if rank == 0 else CLOUD[13:]
        partition = pt.Partition(chunk=5, reduce=reduce)
        return functional.velocity(part, partition), functional.value(part, partition)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(shard, range(2)))
    torch.testing.assert_close(torch.cat([each for each, _ in found]), whole, rtol=1e-12, atol=1e-13)
    assert found[0][1] == found[1][1] == pytest.approx(functional.value(CLOUD), rel=1e-13)
    assert max(sizes) == len(INPUTS) + 1


def test_frozen_coordinates_do_not_move() -> None:
    both = pt.Functional([pt.Risk(pt.Neuron(2, "relu"), INPUTS, TARGETS)]).velocity(CLOUD)
    for frozen, still in (("output", slice(2, 3)), ("input", slice(0, 2))):
        unit = pt.Neuron(2, "relu", frozen=frozen)  # type: ignore[arg-type]
        found = pt.Functional([pt.Risk(unit, INPUTS, TARGETS)]).velocity(CLOUD)
        expected = both.clone()
        expected[:, still] = 0
        assert torch.equal(found, expected)


def test_bad_input_is_refused_with_the_way_out() -> None:
    unit = pt.Neuron(2)
    for make, message in (
        (lambda: pt.Neuron(2, "rlu"), "known are relu"),
        (lambda: pt.Neuron(2, output="sigmoid"), "known are free"),  # type: ignore[arg-type]
        (lambda: pt.Neuron(2, output="none", frozen="output"), "leave frozen out"),
        (lambda: pt.Risk(unit, INPUTS[:, :1], TARGETS), r"takes \(N, 2\)"),
        (lambda: pt.Risk(unit, INPUTS, TARGETS[:3]), r"expected \(11,\)"),
        (lambda: pt.Risk(unit, INPUTS, TARGETS, cost="hinge"), "known are mse, logistic, huber"),
        (lambda: pt.Functional([TERMS["squared"]]).velocity(CLOUD[:, :2]), "this unit has 3"),
        (lambda: pt.Functional([TERMS["squared"]]).velocity(CLOUD[0]), "expected"),
        (lambda: pt.Functional([pt.Potential(lambda x: x)]).value(CLOUD), "one number a point"),
        (lambda: pt.Functional([TERMS["energy distance"]]).velocity(CLOUD[:, :2]), "one space"),
        (lambda: pt.Functional([]), "at least one term"),
        (lambda: pt.Functional([pt.ridge(1)], temperature=-1), "at least 0"),
        (lambda: pt.GaussianKernel(0), "positive"),
        (lambda: pt.RieszKernel(2), "0 < power < 2"),
        (lambda: pt.Partition(chunk=0), "at least 1"),
    ):
        with pytest.raises(pt.ParticlesError, match=message):
            make()
