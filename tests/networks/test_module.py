"""Modules of users: one that is our own network must be it to rounding; a convolution against plain autograd."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from sweepengine.errors import SpecError
from sweepengine.networks import Inputs, ModuleNetwork, ModuleParameters, build_module, initialise, network
from sweepengine.networks import _module as under_test
from sweepengine.plugins import UserModel
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.networks import Network

ARCHITECTURE = Architecture(2, "tanh", 1.4, 0.3, 1.1, output_bias=True)
D, WIDTH, STEPS, ETA = 5, 16, 20, 0.2


class FullyConnected(nn.Module):
    """theory.md §1.1 as a user would write it: f = α m^-γ times this."""

    W0: Tensor
    b0: Tensor
    W1: Tensor
    b1: Tensor
    W2: Tensor
    b2: Tensor

    def __init__(self, width: int, inputs: int, outputs: int, sigma_w: float = ARCHITECTURE.sigma_w) -> None:
        super().__init__()
        self.sigma_w = sigma_w
        for name, shape in (
            *(("W0", (width, inputs)), ("b0", (width,)), ("W1", (width, width)), ("b1", (width,))),
            *(("W2", (width, outputs)[: 1 + (outputs > 1)]), ("b2", (outputs,)[: outputs > 1])),
        ):
            setattr(self, name, nn.Parameter(torch.empty(shape)))

    def forward(self, x: Tensor) -> Tensor:
        a, m = ARCHITECTURE, self.W1.shape[0]
        h = self.sigma_w / math.sqrt(x.shape[1]) * x @ self.W0.T + a.sigma_b * self.b0
        h = self.sigma_w / math.sqrt(m) * torch.tanh(h) @ self.W1.T + a.sigma_b * self.b1
        return a.sigma_a * torch.tanh(h) @ self.W2 + math.sqrt(m) * a.sigma_b * self.b2


class Convolution(nn.Module):
    """Two layers of 3 × 3 filters on a square picture, then the mean over places."""

    def __init__(self, width: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.side = math.isqrt(inputs)
        self.first = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.readout = nn.Linear(width, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.reshape(-1, 1, self.side, self.side)) / 3
        h = self.second(torch.tanh(h)) / math.sqrt(9 * h.shape[1])
        out: Tensor = self.readout(torch.tanh(h).mean((2, 3)))
        return out


def points(n: int, d: int = D, seed: int = 1) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def twins(gamma: float, alpha: float, outputs: int, **settings: Any) -> tuple[Network, ModuleNetwork]:
    start = initialise(ARCHITECTURE, WIDTH, D, 3, torch.float64, outputs=outputs)
    module = FullyConnected(WIDTH, D, outputs, **settings).to(torch.float64)
    # Cloned in the module's own order.
    tensors = start.tensors()
    values = {name: tensors[name].clone().contiguous() for name, _ in module.named_parameters()}
    ours = network(ARCHITECTURE, start.map(torch.clone), [gamma], [alpha])
    return ours, ModuleNetwork(module, ModuleParameters(values, WIDTH, outputs), gamma, alpha)


def trained(net: Any, x: Tensor, y: Tensor, inputs: Inputs) -> dict[str, Tensor]:
    """Everything that is recorded of a network, at the end of a short training."""
    before = net.parameters.map(torch.clone)
    for _ in range(STEPS):
        forward = net.forward(inputs)
        net.descend(inputs, forward, None, forward.outputs - y, ETA)
    at = net.passes(inputs)
    test = net.passes(Inputs.prepare(points(4, seed=2), ARCHITECTURE))
    found = {
        "outputs": at.forward.outputs,
        "kernel": net.kernel(*at),
        "kernel_traced": net.kernel(*at, layout="traced"),
        "kernel_test_train": net.kernel(*test, against=at),
        "kernel_diagonal": net.kernel_diagonal(*at),
    }
    tensors, start = net.parameters.tensors(), before.tensors()
    return found | {name.removeprefix("module."): tensors[name] - start[name] for name in tensors}


@pytest.mark.parametrize(("gamma", "alpha", "outputs"), [(0.5, 1.0, 1), (0.8, 2.0, 1), (1.0, 1.0, 3)])
@pytest.mark.parametrize("centred", [False, True])
def test_a_module_that_is_our_network_is_it_to_rounding(
    gamma: float, alpha: float, outputs: int, centred: bool
) -> None:
    x = points(6)
    y = points(6, outputs, seed=4).squeeze(-1)
    found = []
    for net in twins(gamma, alpha, outputs):
        inputs = Inputs.prepare(x, ARCHITECTURE)
        found.append(trained(net, x, y, net.centre(inputs) if centred else inputs))
    ours, theirs = found
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-12, atol=1e-13, err_msg=name)


def test_the_twin_test_sees_a_wrong_multiplier() -> None:
    x, y = points(6), points(6, 1, seed=4).squeeze(-1)
    inputs = Inputs.prepare(x, ARCHITECTURE)
    ours, wrong = twins(0.8, 2.0, 1, sigma_w=ARCHITECTURE.sigma_w * 1.001)
    a, b = trained(ours, x, y, inputs), trained(wrong, x, y, inputs)
    for name in a:
        assert float((a[name] - b[name]).abs().max()) > 1e-6, name


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_kernel_of_a_convolution_is_its_jacobians_product(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, parameters = build_module(UserModel("cnn", "1", Convolution), 6, 16, outputs, 0, torch.float64)
    net = ModuleNetwork(module, parameters, 0.7, 3.0)
    x, other = points(5, 16), points(3, 16, seed=9)

    def jacobian(at: Tensor) -> Tensor:
        leaves = {name: value.clone().requires_grad_() for name, value in parameters.values.items()}
        raw = torch.func.functional_call(module, leaves, (at,)).reshape(-1)
        rows = [torch.autograd.grad(each, list(leaves.values()), retain_graph=True) for each in raw]
        # theory.md §2.1: the kernel of f itself with the speed of θ, not the shortcut of the engine.
        scale = 3.0 * 6**-0.7 * math.sqrt(6 ** (2 * 0.7 - 1)) / 3.0
        return scale * torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])

    rows, columns = (Inputs(each, each) for each in (x, other))
    expected = jacobian(x) @ jacobian(x).T
    expected_cross = jacobian(x) @ jacobian(other).T
    for budget in (under_test.JACOBIAN_BYTES, 1, 2 * 8 * outputs * sum(v.numel() for v in parameters.values.values())):
        monkeypatch.setattr(under_test, "JACOBIAN_BYTES", budget)
        theta = net.kernel(*net.passes(rows)).reshape(expected.shape)
        torch.testing.assert_close(theta, expected, rtol=1e-12, atol=1e-13)
        assert torch.equal(theta, theta.T) or budget == under_test.JACOBIAN_BYTES
        cross = net.kernel(*net.passes(rows), against=net.passes(columns)).reshape(expected_cross.shape)
        torch.testing.assert_close(cross, expected_cross, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(
        net.kernel_diagonal(*net.passes(rows)).reshape(-1), expected.diagonal(), rtol=1e-12, atol=0
    )


def test_parameters_are_standard_gaussians_nested_across_widths() -> None:
    model = UserModel("cnn", "1", Convolution)
    (_, small), (_, large) = (build_module(model, width, 16, 1, 5, torch.float64) for width in (6, 40))
    for name, value in small.values.items():
        corner = large.values[name][tuple(slice(size) for size in value.shape)]
        assert torch.equal(corner, value), name
    everything = torch.cat([value.reshape(-1) for value in large.values.values()])
    n = everything.numel()
    assert abs(float(everything.mean())) < 4 / math.sqrt(n)
    assert abs(float(everything.var()) - 1) < 4 * math.sqrt(2 / n)
    _, other = build_module(model, 6, 16, 1, 6, torch.float64)
    assert not any(torch.equal(other.values[name], value) for name, value in small.values.items())
    firsts = [float(value.reshape(-1)[0]) for value in small.values.values()]
    assert len(set(firsts)) == len(firsts)  # a stream for each parameter


def test_a_law_shapes_the_gaussians_and_frozen_parameters_stay() -> None:
    def signs(name: str, gaussians: Tensor) -> Tensor:
        return gaussians.sign() if name == "readout.weight" else gaussians

    class Frozen(Convolution):
        def __init__(self, width: int, inputs: int, outputs: int) -> None:
            super().__init__(width, inputs, outputs)
            self.first.weight.requires_grad_(False)

    plain = build_module(UserModel("a", "1", Frozen), 6, 16, 1, 5, torch.float64)[1]
    module, parameters = build_module(UserModel("a", "1", Frozen, signs), 6, 16, 1, 5, torch.float64)
    assert torch.equal(parameters.values["readout.weight"], plain.values["readout.weight"].sign())
    assert torch.equal(parameters.values["first.weight"], plain.values["first.weight"])
    net = ModuleNetwork(module, parameters.map(torch.clone), 0.5, 1.0)
    inputs = Inputs(points(5, 16), points(5, 16))
    forward = net.forward(inputs)
    net.descend(inputs, forward, None, forward.outputs, 0.5)
    moved = {name: not torch.equal(value, parameters.values[name]) for name, value in net.parameters.values.items()}
    assert moved == {"first.weight": False, "second.weight": True, "second.bias": True, "readout.weight": True}


def test_what_build_draws_itself_depends_on_the_seed_alone() -> None:
    class Features(nn.Module):
        w: Tensor

        def __init__(self, width: int, inputs: int, outputs: int) -> None:
            super().__init__()
            self.register_buffer("w", torch.randn(width, inputs))
            self.a = nn.Parameter(torch.empty(width, outputs))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = torch.tanh(x @ self.w.T) @ self.a
            return out

    state = torch.random.get_rng_state()
    made = [build_module(UserModel("rf", "1", Features), 4, 3, 1, seed, torch.float64)[0] for seed in (1, 1, 2)]
    buffers = [dict(each.named_buffers())["w"] for each in made]
    assert torch.equal(buffers[0], buffers[1])
    assert not torch.equal(buffers[0], buffers[2])
    assert torch.equal(torch.random.get_rng_state(), state)


class Bad(nn.Module):
    """A module of which one thing is wrong."""

    def __init__(self, forward: Callable[[Bad, Tensor], Tensor], part: nn.Module, d: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(d))
        self.part = part
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(()))
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


def bad(forward: Callable[[Bad, Tensor], Tensor], part: nn.Module | None = None) -> Callable[..., nn.Module]:
    return lambda width, inputs, outputs: Bad(forward, part or nn.Identity(), inputs)  # noqa: ARG005


def counted(self: Bad, x: Tensor) -> Tensor:
    self.calls.add_(1)
    return x @ self.a


def drifting(self: Bad, x: Tensor, calls: list[int] = []) -> Tensor:  # noqa: B006 -- is the point
    calls.append(0)
    return x @ self.a * len(calls)


def unseeded(width: int, inputs: int, outputs: int, calls: list[int] = []) -> nn.Module:  # noqa: B006 -- is the point
    calls.append(0)
    module = Bad(lambda self, x: x @ self.a, nn.Identity(), inputs)
    module.calls += len(calls)
    return module


def raising(width: int, inputs: int, outputs: int) -> nn.Module:
    raise KeyError("no such layer")


def frozen(width: int, inputs: int, outputs: int) -> nn.Module:
    return nn.Linear(inputs, outputs).requires_grad_(False)


def two_outputs(width: int, inputs: int, outputs: int) -> nn.Module:
    return nn.Linear(inputs, 2)


def no_module(width: int, inputs: int, outputs: int) -> int:
    return 7


BAD: list[tuple[str, Any, str]] = [
    ("raises", raising,
     r"build\(width=4, inputs=3, outputs=1\) raised KeyError: 'no such layer' \(.*module.py, line \d+\)"),
    ("no module", no_module, "gave 7; expected a torch.nn.Module"),
    ("signature", lambda m: nn.Linear(m, 1), "raised TypeError: .*unexpected keyword argument"),
    ("shape", two_outputs,
     r"gave torch.float64 of shape \(3, 2\) for 3 points; expected torch.float64 of shape \(3, 1\)"),
    ("integers", bad(lambda self, x: (x @ self.a).long()), "gave torch.int64 of shape"),
    ("wrong forward", bad(lambda self, x: x @ self.calls),
     r"the module on points of shape \(3, 3\) raised RuntimeError"),
    # Of three points they change none most of the time: what is seen is that a generator has moved.
    ("dropout", bad(lambda self, x: self.part(x) @ self.a, nn.Dropout(1e-9)),
     "draws random numbers; switch dropout off"),
    ("numpy", bad(lambda self, x: (x @ self.a) * (np.random.rand() < 2)), "draws random numbers"),  # noqa: NPY002
    ("python", bad(lambda self, x: (x @ self.a) * (random.random() < 2)), "draws random numbers"),  # noqa: S311
    ("a counter of its own", bad(drifting), "other numbers"),
    ("batch", bad(lambda self, x: (x - x.mean(0)) @ self.a), "changes with the other points of the batch"),
    ("statistics", bad(lambda self, x: self.part(x) @ self.a, nn.BatchNorm1d(3)), "changes the module's buffers"),
    ("counter", bad(counted), "changes the module's buffers"),
    ("unseeded", unseeded, "two builds of one seed have different buffers"),
    ("nothing to train", frozen, "no parameter that requires a gradient"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_what_is_no_model_is_refused(build: Any, message: str) -> None:
    with pytest.raises(SpecError, match=rf"^model bad@2, width 4: .*{message}"):
        build_module(UserModel("bad", "2", build), 4, 3, 1, 0, torch.float64)


def test_a_law_that_draws_is_refused() -> None:
    """Its networks would be others in every process."""
    model = UserModel("bad", "1", bad(lambda self, x: x @ self.a), lambda _, gaussians: torch.randn_like(gaussians))
    with pytest.raises(SpecError, match=r"law\('a', …\) draws random numbers; make its values from"):
        build_module(model, 4, 3, 1, 0, torch.float64)


def test_a_law_of_a_wrong_shape_is_refused() -> None:
    def law(_: str, gaussians: Tensor) -> Tensor:
        return gaussians[:1]

    expected = r"law\('first.weight', …\) gave torch.float64 of shape \(1, 1, 3, 3\); expected"
    with pytest.raises(SpecError, match=expected):
        build_module(UserModel("bad", "1", Convolution, law), 6, 16, 1, 0, torch.float64)
