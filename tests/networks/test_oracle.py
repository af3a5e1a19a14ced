"""Outputs, kernels and gradients of another library's networks, from its weights; see data/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sweepengine.networks import Inputs, Network, load_parameters, network
from sweepengine.spec import Architecture
from tests.support.networks_reference import relative

FILE = Path(__file__).parent / "data" / "empirical.npz"
ENTRIES = {
    "relu|L1|out1|W1.41421|b0.1|digits": Architecture(1, "relu", 2**0.5, 0.1, 2**0.5, output_bias=True),
    "relu|L2|out3|W1.41421|b0.1|digits": Architecture(2, "relu", 2**0.5, 0.1, 2**0.5, output_bias=True),
    "erf|L1|out1|W1.5|b0.1|rand": Architecture(1, "erf", 1.5, 0.1, 1.5, output_bias=True),
    "erf|L2|out3|W1.5|b0.1|rand": Architecture(2, "erf", 1.5, 0.1, 1.5, output_bias=True),
    "gelu|L2|out3|W1.41421|b0.1|rand": Architecture(2, "gelu", 2**0.5, 0.1, 2**0.5, output_bias=True),
}
TOLERANCE = 1e-12


def load(entry: str, gamma: float = 0.5, alpha: float = 1.0) -> tuple[Network, Inputs, dict[str, torch.Tensor]]:
    a = ENTRIES[entry]
    p = load_parameters(FILE, a, torch.float64, prefix=f"{entry}|", fan_in_first=True)
    with np.load(FILE, allow_pickle=False) as file:
        arrays = {
            name.removeprefix(f"{entry}|"): torch.from_numpy(file[name])
            for name in file.files
            if name.startswith(f"{entry}|")
        }
        x = torch.from_numpy(file["X" if entry.endswith("digits") else "Xr"])
    return network(a, p, [gamma], [alpha]), Inputs.prepare(x, a), arrays


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_outputs_and_kernels(entry: str) -> None:
    net, inputs, expected = load(entry)
    train = net.passes(inputs)
    outputs = train.forward.outputs
    assert relative(outputs.reshape(expected["f"].shape), expected["f"]) < TOLERANCE
    full = net.kernel(*train)
    named = expected["ntk"].permute(0, 2, 1, 3)  # (i, j, o, p) there, (i, o, j, p) here
    assert relative(full.reshape(named.shape), named) < TOLERANCE
    assert relative(net.kernel(*train, layout="traced"), expected["ntk_traced"]) < TOLERANCE
    # The negative twin: without the output bias's term the kernel is another one.
    assert relative(net.kernel(*train, layout="traced") - 0.01, expected["ntk_traced"]) > 1e-6


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_a_step_is_the_gradient(entry: str) -> None:
    net, inputs, expected = load(entry)
    p, train = net.parameters, net.passes(inputs)
    y = expected["y"].reshape(train.forward.outputs.shape)
    into = p.map(torch.zeros_like)
    net.descend(*train, train.forward.outputs - y, 1.0, into=into)
    for name, tensor in into.tensors().items():
        gradient = -p.outputs * expected[f"g{name}"]  # theirs is a mean over outputs too
        found = tensor
        if name.startswith("W") and name != f"W{net.architecture.depth}":
            found = tensor.mT
        if name.startswith("W") and net.architecture.depth > 1:
            found = found.sum(1)
        assert relative(found.reshape(gradient.shape), gradient) < TOLERANCE, name


def test_the_kernel_has_no_scale() -> None:
    """Θ_0 depends on neither γ nor α; the outputs do."""
    entry = "erf|L2|out3|W1.5|b0.1|rand"
    plain, inputs, expected = load(entry)
    scaled = load(entry, 1.0, 30.0)[0]
    assert torch.equal(plain.kernel(*plain.passes(inputs)), scaled.kernel(*scaled.passes(inputs)))
    assert relative(scaled.forward(inputs).outputs, expected["f"] * 30.0 / 8.0) < TOLERANCE
