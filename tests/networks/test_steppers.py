"""Time methods: measured orders, closed forms, hand-written references by autograd, kinks."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sweepengine.networks import (
    COSTS,
    Inputs,
    Network,
    Now,
    Points,
    Training,
    Workspace,
    initialise,
    learning_rates,
    linear_factor,
    network,
    stack,
    stepper,
)
from sweepengine.networks._gradient_flow import SMALLEST_STEP, FixedFlow
from sweepengine.runge_kutta import DORMAND_PRINCE, EULER, HEUN, RK4, Tableau
from sweepengine.spec import Architecture, Method
from tests.support.networks_reference import Oracle, points

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.networks import AnyParameters, Parameters, Stepper

SMOOTH = Architecture(2, "tanh", 1.3, 0.4, 1.1, output_bias=True)
RELU = Architecture(1, "relu", 2**0.5, 0.0, 1.0)
GAMMA, ALPHA = 0.7, 1.5
MOMENTUM = Method("momentum", beta=0.8)
BATCHES = Method("sgd", batch_size=3, replacement=False)


def targets(n: int, outputs: int = 1) -> Tensor:
    y = points(n, outputs, seed=9)
    return y if outputs > 1 else y[:, 0]


def flat(parameters: AnyParameters) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in parameters.tensors().values()])


def training(
    a: Architecture,
    parameters: Parameters,
    eta: float,
    n: int = 5,
    cost: str = "mse",
    runs: int = 1,
) -> Training:
    """A fresh network of these parameters on fixed points."""
    x = points(n, parameters.sizes[0])
    net = network(
        a,
        parameters.map(torch.clone),
        [GAMMA] * runs,
        [ALPHA] * runs,
        learning_rates(a.trained, a.depth),
    )
    inputs = Inputs.prepare(x, a)
    if a.centred:
        inputs = net.centre(inputs)
    y = targets(n, parameters.outputs)
    return Training(net, Points(inputs, y), COSTS[cost](), eta, Workspace())


def run_to(method: Stepper, steps: int) -> Parameters:
    """Go from 0 to t = steps · η, and what is there."""
    net, position = method.training.network, 0.0
    while position < steps:
        here = method.points(position)
        position = method.step(Now(position, here, net.forward(here.inputs, method.training.workspace)), steps)
    assert position == steps
    assert isinstance(net, Network)
    return net.parameters


def trained(
    a: Architecture, start: Parameters, method: Method, steps: int, eta: float, n: int = 5, seed: int = 0
) -> Tensor:
    return flat(run_to(stepper(method, training(a, start, eta, n), seed), steps))


@cache
def end(tableau: Tableau, steps: int) -> Tensor:
    """Parameters of a small smooth network at t = 2 after so many steps."""
    start = initialise(SMOOTH, 6, 3, 1, torch.float64)
    return flat(run_to(FixedFlow(training(SMOOTH, start, 2.0 / steps, 4), tableau), steps))


def observed_order(tableau: Tableau, steps: int) -> float:
    """From the errors at three step sizes; extrapolated, so that the error of the order is O(η²)."""
    exact = end(RK4, 2048)
    errors = [float((end(tableau, steps * 2**k) - exact).norm()) for k in range(3)]
    first, second = (math.log2(a / b) for a, b in pairwise(errors))
    return 2 * second - first


# The pair's leading error is so small that its order is reached slowly; 4 and 6 are still far away.
ORDERS = [(EULER, 64, 0.01), (HEUN, 24, 0.01), (RK4, 8, 0.01), (DORMAND_PRINCE, 10, 0.2)]
NAMES = ["euler", "heun", "rk4", "dormand_prince"]


@pytest.mark.parametrize(("tableau", "steps", "band"), ORDERS, ids=NAMES)
def test_methods_have_their_order(tableau: Tableau, steps: int, band: float) -> None:
    assert observed_order(tableau, steps) == pytest.approx(tableau.order, abs=band)


@pytest.mark.parametrize(("tableau", "steps", "band"), ORDERS[1:], ids=NAMES[1:])
def test_every_entry_of_a_tableau_counts(tableau: Tableau, steps: int, band: float) -> None:
    """One entry changed by a hundredth: the order, or what is converged to, is another."""
    broken = [
        replace(tableau, stages=(*tableau.stages[:row], tuple(changed), *tableau.stages[row + 1 :]))
        for row, entries in enumerate(tableau.stages)
        if tableau.weights[row + 1]  # the pair's last stage is for the error alone
        for place, entry in enumerate(entries)
        if entry
        for changed in [[*entries[:place], entry * 1.01, *entries[place + 1 :]]]
    ]
    broken += [
        replace(tableau, weights=(*tableau.weights[:place], weight * 1.01, *tableau.weights[place + 1 :]))
        for place, weight in enumerate(tableau.weights)
        if weight
    ]
    assert len(broken) >= 3
    for wrong in broken:
        assert abs(observed_order(wrong, steps) - tableau.order) > 2 * band, wrong


def test_the_embedded_method_has_order_four() -> None:
    """Weights minus error: the pair's other half, whose difference is the error estimate."""
    weights = tuple(w - e for w, e in zip(DORMAND_PRINCE.weights, DORMAND_PRINCE.error, strict=True))
    assert observed_order(replace(DORMAND_PRINCE, weights=weights), 6) == pytest.approx(4, abs=0.02)


def test_the_gd_stepper_is_euler() -> None:
    start = initialise(SMOOTH, 6, 3, 1, torch.float64)
    euler = flat(run_to(FixedFlow(training(SMOOTH, start, 0.1), EULER), 7))
    torch.testing.assert_close(trained(SMOOTH, start, Method(), 7, 0.1), euler, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("method", "bound"), [("gd", 1e-12), ("heun", 1e-12), ("rk4", 1e-12), ("rk45", 1e-7)])
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_linear_model_follows_its_closed_form(method: str, bound: float, outputs: int) -> None:
    """Last-layer training: f_t = y + E(Θt/N)(f_0 − y), E the method's own polynomial, or e^{−Θt/N}."""
    a = replace(SMOOTH, trained="last_layer")
    start = initialise(a, 12, 3, 2, torch.float64, outputs=outputs)
    made = Method("rk45", tolerance=1e-9) if method == "rk45" else Method(method)
    steps, eta, n = 6, 1.5, 5
    task = training(a, start, eta, n)
    before = task.network.passes(task.points.inputs)
    kernel, f0, y = task.network.kernel(*before, layout="traced"), before.forward.outputs.clone(), task.points.targets
    run_to(stepper(made, task, 0), steps)
    found = task.network.forward(task.points.inputs).outputs
    values, vectors = torch.linalg.eigh(kernel)

    def expected(factors: Tensor) -> Tensor:
        moved: Tensor = y + vectors @ torch.diag(factors**steps) @ vectors.T @ (f0 - y)
        return moved

    assert float((found - expected(linear_factor(made, -eta * values / n))).abs().max()) < bound
    others = [torch.exp(-eta * values), linear_factor(Method("rk4" if method == "heun" else "heun"), -eta * values / n)]
    for wrong in others:  # without 1/N; another method
        assert float((found - expected(wrong)).abs().max()) > 1e-4


def batches(seed: int, n: int, size: int, replacement: bool) -> Callable[[int], NDArray[np.intp]]:
    """The points of a step by its number, read off the targets that descent takes at it."""
    start = initialise(SMOOTH, 4, 3, 0, torch.float64)
    method = stepper(Method("sgd", batch_size=size, replacement=replacement), training(SMOOTH, start, 0.1, n), seed)
    place = {float(y): index for index, y in enumerate(targets(n))}
    assert len(place) == n
    return lambda step: np.array([place[float(y)] for y in method.points(step).targets])


def autograd_descent(a: Architecture, start: Parameters, method: Method, steps: int, eta: float, seed: int) -> Tensor:
    """The loop as a textbook has it, gradients by autograd."""
    n, beta = 5, method.beta or 0.0
    x, y = points(n, start.sizes[0]), targets(n, start.outputs)
    batch = batches(seed, n, method.batch_size or n, bool(method.replacement))
    rates = learning_rates(a.trained, a.depth)
    named = {name: tensor.clone() for name, tensor in start.tensors().items()}
    moved = {name: torch.zeros_like(tensor) for name, tensor in named.items()}
    f0 = Oracle(a, start, GAMMA, ALPHA).outputs(x).detach() if a.centred else torch.zeros_like(y)
    for step in range(steps):
        index = torch.from_numpy(batch(step))
        here = start.with_tensors(dict(named))

        def risk(outputs: Tensor, index: Tensor = index) -> Tensor:
            return 0.5 * (outputs - f0[index] - y[index]).square().sum() / len(index)

        velocity = Oracle(a, here, GAMMA, ALPHA, rates).velocity(x[index], risk)
        for name in named:
            moved[name] = beta * moved[name] + (1 - beta) * eta * velocity[name]
            named[name] += moved[name]
    return torch.cat([tensor.reshape(-1) for tensor in named.values()])


@pytest.mark.parametrize(
    "method",
    [BATCHES, replace(BATCHES, replacement=True), MOMENTUM, Method("momentum", 2, True, 0.6)],
    ids=lambda method: str(method.label),
)
@pytest.mark.parametrize(
    ("options", "outputs"), [({}, 1), ({"centred": True}, 2), ({"trained": "hidden_weights"}, 1)], ids=str
)
def test_descent_equals_the_textbook_loop(method: Method, options: dict[str, str], outputs: int) -> None:
    a = replace(SMOOTH, **options)  # type: ignore[arg-type]
    start = initialise(a, 8, 3, 3, torch.float64, outputs=outputs)
    found = trained(a, start, method, 9, 0.3, seed=5)
    expected = autograd_descent(a, start, method, 9, 0.3, seed=5)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    if method.batch_size:
        assert float((found - autograd_descent(a, start, method, 9, 0.3, seed=6)).abs().max()) > 1e-4
    assert float((found - trained(a, start, Method(), 9, 0.3)).abs().max()) > 1e-4


def test_all_points_in_a_batch_are_descent_and_no_momentum_is_none() -> None:
    start = initialise(SMOOTH, 8, 3, 3, torch.float64)
    whole = trained(SMOOTH, start, Method("sgd", 5, False), 12, 0.3)
    torch.testing.assert_close(whole, trained(SMOOTH, start, Method(), 12, 0.3), rtol=1e-12, atol=1e-13)
    still = trained(SMOOTH, start, replace(BATCHES, name="momentum", beta=0.0), 12, 0.3)
    torch.testing.assert_close(still, trained(SMOOTH, start, BATCHES, 12, 0.3), rtol=1e-12, atol=1e-13)


def test_momentum_keeps_the_time_of_the_flow() -> None:
    """At fixed β its distance to the flow at t is O(η): another convention would go 1/(1 − β) times as far."""
    start = initialise(SMOOTH, 8, 3, 3, torch.float64)
    flow = trained(SMOOTH, start, Method("rk4"), 40, 0.05)
    errors = [
        float((trained(SMOOTH, start, MOMENTUM, n, 2.0 / n) - flow).norm() / (flow - flat(start)).norm())
        for n in (1000, 2000)
    ]
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.15)


def test_minibatches() -> None:
    n, size = 23, 5
    batch = batches(7, n, size, replacement=False)
    for epoch in (0, 1, 100_000):
        seen = np.concatenate([batch(4 * epoch + k) for k in range(4)])
        assert len(set(seen.tolist())) == 20
        assert set(seen.tolist()) < set(range(n))
    fresh = batches(7, n, size, replacement=False)
    for step in (17, 3, 400_001, 0):  # no memory of earlier steps
        np.testing.assert_array_equal(fresh(step), batches(7, n, size, replacement=False)(step))
    assert not np.array_equal(batch(0), batch(4))
    assert not np.array_equal(batch(0), batches(8, n, size, replacement=False)(0))
    for replacement in (False, True):
        drawn = batches(1, n, size, replacement)
        counts = np.bincount(np.concatenate([drawn(step) for step in range(2000)]), minlength=n)
        # Each point has the same chance: binomial spread or less (4.5 standard errors).
        assert np.abs(counts - 2000 * size / n).max() < 4.5 * math.sqrt(2000 * size / n)
        doubles = sum(len(set(drawn(step).tolist())) < size for step in range(300))
        assert (doubles > 50) == replacement
    with pytest.raises(ValueError, match="batches of 6 out of 5 points"):
        batches(0, 5, 6, replacement=False)
    assert batches(0, 5, 6, replacement=True)(0).shape == (6,)


def test_batches_of_an_epoch_average_to_the_whole_gradient() -> None:
    start = initialise(SMOOTH, 8, 3, 3, torch.float64)
    moves = []
    for step in range(3):
        method = stepper(replace(BATCHES, batch_size=2), training(SMOOTH, start, 0.1, 6), 4)
        here = method.points(step)
        assert here.targets.shape == (2,)
        method.step(Now(step, here, method.training.network.forward(here.inputs)), 9)
        moves.append(flat(method.training.network.parameters) - flat(start))
    whole = trained(SMOOTH, start, Method(), 1, 0.1, n=6) - flat(start)
    torch.testing.assert_close(sum(moves[1:], moves[0]) / 3, whole, rtol=1e-10, atol=1e-13)
    assert float((moves[0] - whole).norm()) > 0.1 * float(whole.norm())


@pytest.mark.parametrize("method", [Method("heun"), Method("rk4"), MOMENTUM], ids=lambda method: str(method.name))
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_group_takes_the_steps_of_its_networks(method: Method, outputs: int) -> None:
    starts = [initialise(SMOOTH, 7, 3, seed, torch.float64, outputs=outputs) for seed in range(3)]
    group = run_to(stepper(method, training(SMOOTH, stack(starts), 0.3, runs=3), 0), 5)
    for place, start in enumerate(starts):
        alone = run_to(stepper(method, training(SMOOTH, start, 0.3), 0), 5)
        for name, tensor in alone.tensors().items():
            torch.testing.assert_close(group.tensors()[name][place], tensor, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("method", [BATCHES, Method("rk45", tolerance=1e-4)], ids=lambda method: str(method.name))
def test_methods_with_choices_refuse_a_group(method: Method) -> None:
    group = stack([initialise(SMOOTH, 7, 3, seed, torch.float64) for seed in range(2)])
    with pytest.raises(ValueError, match="each must be trained alone"):
        stepper(method, training(SMOOTH, group, 0.3, runs=2), 0)


def adaptive(a: Architecture, start: Parameters, tolerance: float, eta: float, n: int = 5) -> Stepper:
    return stepper(Method("rk45", tolerance=tolerance), training(a, start, eta, n), 0)


def adapted(a: Architecture, start: Parameters, tolerance: float, steps: int, eta: float, n: int) -> Stepper:
    method = adaptive(a, start, tolerance, eta, n)
    run_to(method, steps)
    return method


@pytest.mark.parametrize("width", [8, 256])
def test_a_tolerance_means_the_same_at_every_width(width: int) -> None:
    start = initialise(SMOOTH, width, 3, 1, torch.float64)
    exact = training(SMOOTH, start, 0.02, 6)
    run_to(FixedFlow(exact, RK4), 200)
    wanted = exact.network.forward(exact.points.inputs).outputs
    steps = []
    for tolerance in (1e-4, 1e-7):
        found = adapted(SMOOTH, start, tolerance, 8, 0.5, 6)
        error = float((found.training.network.forward(exact.points.inputs).outputs - wanted).abs().max())
        assert tolerance / 1000 < error < 20 * tolerance
        assert found.report().forced == 0
        steps.append(found.report().steps)
    assert steps[0] < steps[1] < 40


def test_adaptive_steps_get_through_relus_kinks() -> None:
    """Thousands of kinks at a tolerance that no step can meet there: as many steps as the floor allows, no more."""
    start, n, steps, eta = initialise(RELU, 64, 6, 1, torch.float64), 24, 10, 0.25
    found = adapted(RELU, start, 1e-7, steps, eta, n)
    report, net, inputs = found.report(), found.training.network, found.training.points.inputs
    assert isinstance(net, Network)
    fine = training(RELU, start, eta / 400, n)
    run_to(FixedFlow(fine, RK4), 400 * steps)
    before = network(RELU, start, [GAMMA], [ALPHA]).forward(inputs, keep_preactivations=True).preactivations[0]
    after = net.forward(inputs, keep_preactivations=True).preactivations[0]
    assert int(((before > 0) != (after > 0)).sum()) > 20
    assert report.forced > 50
    assert report.steps <= steps / SMALLEST_STEP
    assert eta * SMALLEST_STEP / 2 <= report.step_smallest <= eta * SMALLEST_STEP
    wanted = fine.network.forward(inputs).outputs
    scale = float((wanted - targets(n)).abs().max())
    assert float((net.forward(inputs).outputs - wanted).abs().max()) < 2e-4 < 0.01 * scale
    loose = adapted(RELU, start, 1e-3, steps, eta, n).report()
    assert loose.steps + loose.rejected < report.steps / 4
    assert loose.forced == 0


def test_what_blows_up_ends() -> None:
    """NaN is never within a tolerance: the smallest step stands, and the caller sees the outputs."""
    a = replace(RELU, activation="quadratic")
    start = initialise(a, 8, 3, 0, torch.float64).map(lambda tensor: tensor * 1e30)
    method = adaptive(a, start, 1e-4, 1.0)
    here = method.points(0.0)
    net = method.training.network
    position = method.step(Now(0.0, here, net.forward(here.inputs)), 5)
    assert 0 < position <= SMALLEST_STEP
    assert not torch.isfinite(net.forward(here.inputs).outputs).all()
    assert method.report().forced == 1


def test_the_state_of_the_control_is_its_own() -> None:
    start = initialise(SMOOTH, 8, 3, 1, torch.float64)
    method = adaptive(SMOOTH, start, 1e-6, 0.5)
    run_to(method, 3)
    state = {name: value.copy() for name, value in method.state().items()}
    other = adaptive(SMOOTH, start, 1e-6, 0.5)
    assert other.report().steps == 0
    other.restore(state)
    assert other.report() == method.report()
    assert other.state() == state
