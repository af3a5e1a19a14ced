"""Initial laws, nesting, and explicit weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import stats

from sweepengine.errors import DataError
from sweepengine.networks import Inputs, Law, Parameters, from_arrays, initialise, load_parameters, network, stack
from sweepengine.spec import Architecture
from tests.support.networks_reference import D, points

if TYPE_CHECKING:
    from pathlib import Path

A = Architecture(3, "relu", 1.0, 0.5, 1.0, output_bias=True)
LAWS = [Law(), Law("sphere", "signs"), Law("gaussian", "ones"), Law("sphere", "gaussian")]


SHALLOW = Architecture(1, "relu", 1.0, 0.0, 1.0)


def draw(
    width: int | list[int], d: int = D, outputs: int = 1, law: Law | None = None, seed: int = 4, a: Architecture = A
) -> Parameters:
    return initialise(a, width, d, seed, torch.float64, outputs=outputs, law=law)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_widths_are_nested(outputs: int, law: Law) -> None:
    small, large = draw([10, 5, 7], outputs=outputs, law=law), draw([300, 8, 20], outputs=outputs, law=law)
    for name, tensor in small.tensors().items():
        corner = tuple(slice(0, size) for size in tensor.shape)
        assert torch.equal(tensor, large.tensors()[name][corner]), name


def test_outputs_are_nested_and_the_first_is_the_scalar_network() -> None:
    one, three = draw(8), draw(8, outputs=3)
    assert torch.equal(one.readout, three.readout[:, 0])
    assert one.output_bias is not None
    assert three.output_bias is not None
    assert torch.equal(one.output_bias, three.output_bias[0])
    assert abs(float(torch.corrcoef(draw(4000, outputs=2, a=SHALLOW).readout.T)[0, 1])) < 4 / 4000**0.5


def test_inputs_are_nested_for_gaussian_rows_only() -> None:
    for law, nested in ((Law(), True), (Law("sphere"), False)):
        narrow, wide = draw(8, 4, law=law).hidden[0], draw(8, 6, law=law).hidden[0][:, :4]
        assert torch.equal(narrow, wide) == nested


@pytest.mark.parametrize("law", LAWS)
def test_seeds_do_not_know_the_precision(law: Law) -> None:
    double = draw(9, law=law)
    single = initialise(A, 9, D, 4, torch.float32, law=law)
    for name, tensor in double.tensors().items():
        assert torch.equal(tensor.float(), single.tensors()[name]), name


def test_signs_and_ones() -> None:
    gaussian, signs = draw(5000, a=SHALLOW).readout, draw(5000, law=Law(readout="signs"), a=SHALLOW).readout
    assert torch.equal(signs, gaussian.sign())
    assert torch.equal(signs.abs(), torch.ones_like(signs))
    assert abs(float(signs.sum())) < 4 * 5000**0.5
    assert torch.equal(draw(5, law=Law(readout="ones"), outputs=2).readout, torch.ones(5, 2, dtype=torch.float64))


def test_sphere_rows_are_uniform() -> None:
    rows = draw(4000, 3, law=Law("sphere"), a=SHALLOW).hidden[0]
    assert torch.allclose(rows.norm(dim=1), torch.ones(4000, dtype=torch.float64), rtol=1e-14, atol=0)
    # Archimedes: on the sphere in R³ each coordinate is uniform on [−1, 1]; a Gaussian's is not.
    assert stats.kstest(rows[:, 1].numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(draw(4000, 3, a=SHALLOW).hidden[0][:, 1].numpy(), stats.uniform(-1, 2).cdf).pvalue < 1e-3


def test_only_the_first_layer_is_on_the_sphere() -> None:
    sphere, gaussian = draw(6, law=Law("sphere")), draw(6)
    assert torch.equal(sphere.hidden[1], gaussian.hidden[1])


def test_unknown_laws_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="gaussian, signs, ones"):
        Law(readout="zeros")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 3 widths"):
        draw([4, 4])
    with pytest.raises(ValueError, match="sizes ≥ 1"):
        draw(4, outputs=0)


def arrays(p: Parameters) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return {name: tensor.numpy() for name, tensor in p.tensors().items()}


@pytest.mark.parametrize("outputs", [1, 2])
def test_weights_come_back_from_a_file(outputs: int, tmp_path: Path) -> None:
    p = draw([4, 5, 6], outputs=outputs)
    np.savez(tmp_path / "mine.npz", **arrays(p))  # type: ignore[arg-type]
    found = load_parameters(tmp_path / "mine.npz", A, torch.float64)
    turned = {f"net/{n}": v.T if n in {"W0", "W1", "W2"} else v for n, v in arrays(p).items()}
    np.savez(tmp_path / "theirs.npz", **turned)  # type: ignore[arg-type]
    also = load_parameters(tmp_path / "theirs.npz", A, torch.float64, prefix="net/", fan_in_first=True)
    for name, tensor in p.tensors().items():
        assert torch.equal(found.tensors()[name], tensor), name
        assert torch.equal(also.tensors()[name], tensor), name


def test_columns_of_scalar_networks_are_accepted() -> None:
    p = draw(4)
    given = arrays(p) | {"W3": p.readout.numpy()[:, None], "b3": np.ones(1)}
    found = from_arrays(given, A, torch.float64)
    assert torch.equal(found.readout, p.readout)
    assert found.output_bias is not None
    assert found.output_bias.shape == ()


def test_given_weights_are_copied() -> None:
    given = arrays(draw(4))
    given["W0"] = given["W0"].copy()
    p = from_arrays(given, A, torch.float64)
    given["W0"][:] = 0
    assert p.hidden[0].all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W1": None}, "no array 'W1'"),
        ({"W1": np.ones((4, 5))}, "W1 has shape"),
        ({"b1": np.ones(5)}, "b1 has shape"),
        ({"W3": np.ones(5)}, "read-out has shape"),
        ({"W3": np.ones((4, 2, 2))}, "read-out has shape"),
        ({"b3": np.ones(2)}, "output bias has shape"),
        ({"W0": np.full((4, D), np.nan)}, "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    given = {name: value for name, value in (arrays(draw(4)) | change).items() if value is not None}
    with pytest.raises(DataError, match=message):
        from_arrays(given, A, torch.float64)  # type: ignore[arg-type]


def test_files_that_are_no_plain_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", W0=np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    for name in ("objects.npz", "one.npy", "text.npz", "torn.npz", "absent.npz"):
        with pytest.raises(DataError, match=name):
            load_parameters(tmp_path / name, A, torch.float64)


def test_permuting_neurons_and_columns_in_memory_change_nothing() -> None:
    """Permuting the neurons of a hidden layer, with what leads in and out, is the same network."""
    p, order = draw([6, 5, 7], outputs=2), torch.tensor([3, 1, 4, 0, 2])
    hidden = (p.hidden[0], p.hidden[1][order], p.hidden[2][:, order])
    biases = (p.biases[0], p.biases[1][order], p.biases[2])
    shuffled = Parameters(hidden, biases, p.readout, p.output_bias)
    kernels = []
    for each in (p, shuffled):
        net = network(A, each, [0.5], [1.0])
        kernels.append(net.kernel(*net.passes(Inputs.prepare(points(), A))))
    assert float((kernels[0] - kernels[1]).norm() / kernels[0].norm()) < 1e-13
    wrong = Parameters((*hidden[:2], p.hidden[2]), biases, p.readout, p.output_bias)
    net = network(A, wrong, [0.5], [1.0])
    other = net.kernel(*net.passes(Inputs.prepare(points(), A)))
    assert float((kernels[0] - other).norm() / kernels[0].norm()) > 1e-2


def test_shapes_are_told() -> None:
    p = draw([6, 5, 7], outputs=2)
    assert (p.sizes, p.width, p.outputs, p.is_group) == ((D, 6, 5, 7), 7, 2, False)
    group = stack([p, draw([6, 5, 7], outputs=2, seed=5)])
    assert (group.sizes, group.width, group.outputs, group.is_group) == ((D, 6, 5, 7), 7, 2, True)
    assert [tuple(each.shape) for each in p.layer_matrices()] == [(6, D + 1), (5, 7), (7, 6), (7, 2)]
    assert stack([draw(4), draw(4, seed=5)]).outputs == 1
