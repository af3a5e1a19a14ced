"""Groups, devices, workspaces, centring, duplication and balance: what must not depend on how a run is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from sweepengine.activations import layer_activations
from sweepengine.networks import (
    TRAINED,
    Inputs,
    Law,
    Network,
    Parameters,
    Workspace,
    initialise,
    learning_rates,
    network,
    stack,
)
from sweepengine.spec import Architecture
from tests.support.networks_reference import D, N, points, relative

if TYPE_CHECKING:
    from torch import Tensor

TIGHT = 1e-12


def make(
    a: Architecture, widths: int | list[int], outputs: int, d: int = D, seed: int = 3, law: Law | None = None
) -> Parameters:
    return initialise(a, widths, d, seed, torch.float64, outputs=outputs, law=law)


def targets(n: int, outputs: int) -> Tensor:
    y = points(n, outputs, 9)
    return y[:, 0] if outputs == 1 else y


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("trained", TRAINED)
def test_a_group_equals_its_networks_alone(outputs: int, trained: str) -> None:
    a = Architecture(2, "tanh", 1.3, 0.2, 0.9, output_bias=True)
    cases = [(0, 0.5, 1.0), (1, 1.0, 1.0), (2, 0.75, 2.0)]
    rates, y = learning_rates(trained, 2), targets(N, outputs)

    def after(p: Parameters, gamma: list[float], alpha: list[float]) -> tuple[Tensor, Tensor, Tensor]:
        net, space = network(a, p, gamma, alpha, rates), Workspace()
        inputs = net.centre(Inputs.prepare(points(), a))
        for _ in range(20):
            forward = net.forward(inputs, space)
            net.descend(inputs, forward, None, forward.outputs - y, 0.2, workspace=space)
        train = net.passes(inputs)
        rows = net.passes(inputs.rows(torch.tensor([3, 1])))
        return train.forward.outputs, net.kernel(*train), rows.forward.outputs

    group = after(
        stack([make(a, [6, 9], outputs, seed=seed) for seed, _, _ in cases]),
        [gamma for _, gamma, _ in cases],
        [alpha for _, _, alpha in cases],
    )
    for place, (seed, gamma, alpha) in enumerate(cases):
        alone = after(make(a, [6, 9], outputs, seed=seed), [gamma], [alpha])
        for found, expected in zip(group, alone, strict=True):
            assert relative(found[place], expected) < TIGHT
        assert torch.equal(alone[2], alone[0][[3, 1]]) or relative(alone[2], alone[0][[3, 1]]) < TIGHT


def steps(net: Network, inputs: Inputs, y: Tensor, space: Workspace | None, record: bool) -> None:
    for _ in range(10):
        forward = net.forward(inputs, space)
        signals = net.backward(forward, space) if record else None
        if signals is not None:
            net.kernel(inputs, forward, signals)
        net.descend(inputs, forward, signals, forward.outputs - y, 0.2, workspace=space)


@pytest.mark.parametrize("outputs", [1, 3])
def test_neither_a_workspace_nor_recording_changes_a_bit(outputs: int) -> None:
    a = Architecture(3, "relu", 1.4, 0.1, 1.0)
    ends = []
    for space, record in ((None, True), (Workspace(), True), (Workspace(), False)):
        p = initialise(a, 32, D, 0, torch.float32, outputs=outputs)
        x = points(16).float()
        steps(network(a, p, [0.5], [1.0]), Inputs.prepare(x, a), targets(16, outputs).float(), space, record)
        ends.append(p.tensors())
    for end in ends[1:]:
        assert all(torch.equal(end[name], tensor) for name, tensor in ends[0].items())


@pytest.mark.parametrize("outputs", [1, 2])
def test_centred_output_is_zero_at_start_and_moves_alike(outputs: int) -> None:
    a = Architecture(2, "gelu", 1.3, 0.2, 0.9, output_bias=True)
    net = network(a, make(a, 8, outputs), [0.5], [3.0])
    plain = Inputs.prepare(points(), a)
    start = net.forward(plain).outputs.clone()
    inputs = net.centre(plain)
    forward = net.forward(inputs)
    assert not forward.outputs.any()
    net.descend(inputs, forward, None, forward.outputs - targets(N, outputs), 0.1)
    assert relative(net.forward(inputs).outputs, net.forward(plain).outputs - start) < 1e-13
    assert float(start.norm()) > 0.1


def test_preactivations_and_slopes() -> None:
    a = Architecture(2, "relu", 1.3, 0.2, 0.9)
    net = network(a, make(a, 8, 1), [0.5], [1.0])
    forward = net.forward(Inputs.prepare(points(), a), keep_preactivations=True)
    for h, phi, slope in zip(forward.preactivations, forward.features, net.slopes(forward), strict=True):
        assert torch.equal(h.clamp_min(0), phi)
        assert torch.equal((h > 0).double(), slope)
    assert net.forward(Inputs.prepare(points(), a)).preactivations == []


def test_unknown_rates_are_refused() -> None:
    a = Architecture(1, "relu", 1.0, 0.0, 1.0)
    p = make(a, 4, 1)
    with pytest.raises(ValueError, match="W0, W1, b0, b1"):
        network(a, p, [0.5], [1.0], {"W2": 0.0})
    with pytest.raises(ValueError, match="freezes"):
        network(a, p, [0.5], [1.0], {"W0": -1.0})
    with pytest.raises(ValueError, match="all, hidden_weights, last_layer"):
        learning_rates("some", 1)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("activation", sorted(layer_activations()))
def test_everything_stays_on_its_device(activation: str, group: bool, outputs: int) -> None:
    """On torch's device without numbers any tensor made elsewhere by mistake raises, and shapes are checked."""
    a = Architecture(2, activation, 1.2, 0.3, 0.9, output_bias=True)
    each = [initialise(a, [8, 6], D, seed, torch.float32, outputs=outputs, device="meta") for seed in range(1 + group)]
    net = network(a, stack(each), [0.5] * len(each), [1.0] * len(each))
    inputs = net.centre(Inputs.prepare(torch.empty(70, D, device="meta"), a))
    train, space = net.passes(inputs, Workspace()), Workspace()
    shapes = {"full": (70, outputs, 70, outputs) if outputs > 1 else (70, 70), "traced": (70, 70)}
    lead = (len(each),) if group else ()
    assert net.kernel(*train).shape == (*lead, *shapes["full"])
    assert net.kernel(*train, layout="traced").shape == (*lead, *shapes["traced"])
    results = [*train.forward.outputs.unsqueeze(0), net.kernel_diagonal(*train), *net.grams(train).signals]
    net.descend(inputs, train.forward, None, train.forward.outputs, 0.1, workspace=space)
    assert {result.device.type for result in results} == {"meta"}


@pytest.mark.parametrize(("gamma", "same"), [(1.0, True), (0.5, False)])
def test_duplicated_particles_with_several_outputs(gamma: float, same: bool) -> None:
    """In mean-field scaling each particle twice is the same trajectory; in NTK scaling it is not."""
    a, y = Architecture(1, "tanh", 1.3, 0.4, 0.9, output_bias=False), targets(N, 2)
    ends = []
    for copies in (1, 2):
        p = make(a, 20, 2).map(lambda tensor, copies=copies: torch.cat([tensor] * copies))
        net, inputs = network(a, p, [gamma], [1.0]), Inputs.prepare(points(), a)
        for _ in range(8):
            forward = net.forward(inputs)
            net.descend(inputs, forward, None, forward.outputs - y, 0.2)
        ends.append(net.kernel(*net.passes(inputs)))
    assert (relative(ends[1], ends[0]) < 1e-13) == same


@pytest.mark.parametrize("trained", TRAINED)
def test_relu_balance_holds_where_both_sides_are_trained(trained: str) -> None:
    """|w_k|² − Σ_o a_ko² moves at second order in the step only when W and a both move (σ_w = √d: equal speeds)."""
    a, y = Architecture(1, "relu", D**0.5, 0.0, 1.0), targets(N, 2)
    moved = []
    for eta in (0.02, 0.01):
        p = make(a, 16, 2)
        net, inputs = network(a, p, [1.0], [1.0], learning_rates(trained, 1)), Inputs.prepare(points(), a)
        start = p.hidden[0].square().sum(1) - p.readout.square().sum(1)
        forward = net.forward(inputs)
        net.descend(inputs, forward, None, forward.outputs - y, eta)
        moved.append(float((p.hidden[0].square().sum(1) - p.readout.square().sum(1) - start).norm()))
    assert moved[0] / moved[1] == pytest.approx(4.0 if trained == "all" else 2.0, rel=0.1)
