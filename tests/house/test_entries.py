"""Activations and data sets are entries of tables: what entries say is true, an entry is all that a new one needs."""

from __future__ import annotations

import importlib.util
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine import theory
from sweepengine.activations import ACTIVATIONS, layer_activations
from sweepengine.data import fresh_points, load
from sweepengine.errors import SpecError
from sweepengine.networks import Activation, _fused, activation
from sweepengine.particles import Neuron, on_device
from sweepengine.particles import _fused as _fused_particles
from sweepengine.spec import DATASETS, DataSection, DrawnData, ShellsData, make_spec, spec_schema
from tests.support import added, pinned
from tests.support.triton import pretend_triton

if TYPE_CHECKING:
    from pathlib import Path

HAS_TRITON = importlib.util.find_spec("triton") is not None
CUDA = torch.device("cuda")
EPS = 1e-6
DRAWN = {name for name, section in DATASETS.items() if issubclass(section, (DrawnData, ShellsData))}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_reference_of_an_activation_resolves(name: str) -> None:
    entry = ACTIVATIONS[name]
    assert isinstance(resolve_name(entry.torch), Activation)
    assert activation(name) is resolve_name(entry.torch)
    if entry.kernel is not None and HAS_TRITON:
        assert callable(resolve_name(entry.kernel))
    assert entry.kernel is None or entry.in_layers


@pytest.mark.parametrize("name", DATASETS)
def test_every_reference_of_a_data_set_resolves(name: str) -> None:
    section = DATASETS[name]
    assert callable(resolve_name(section.loader))
    assert (section.fresh_points is not None) == (name in DRAWN)
    if section.fresh_points is not None:
        assert callable(resolve_name(section.fresh_points))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_an_entry_says_of_an_activation_is_true(name: str) -> None:
    entry, phi = ACTIVATIONS[name], activation(name)
    h = torch.linspace(-3, 3, 602, dtype=torch.float64)  # symmetric, with no point at a kink
    value, slope = phi(h)
    turned, _ = phi(-h)
    parity = "odd" if torch.allclose(turned, -value) else "even" if torch.allclose(turned, value) else "none"
    assert parity == entry.parity
    jumps = (phi(h + EPS)[1] - phi(h - EPS)[1]).abs() > 1e-3
    assert not jumps.any()
    for kink in entry.kinks:
        at = torch.tensor([kink], dtype=torch.float64)
        assert float((phi(at + EPS)[1] - phi(at - EPS)[1]).abs()) > 0.5
    steps = (slope.diff().abs() > 0.5).sum()  # neighbours on the two sides of a kink
    assert int(steps) == len(entry.kinks)
    assert (phi.second is None) == (not entry.smooth)
    residual = np.polynomial.Polynomial.fit(h.numpy(), value.numpy(), 2)(h.numpy()) - value.numpy()
    assert (entry.degree in {1, 2}) == bool(np.abs(residual).max() < 1e-9)
    assert entry.unit_slopes == bool(torch.isin(slope, torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)).all())


def test_the_table_and_the_list_of_theory_agree() -> None:
    assert set(layer_activations()) <= set(theory.known_activations())
    u = np.linspace(-3, 3, 602)
    for name in layer_activations():
        entry, limit = ACTIVATIONS[name], theory.activation(name)
        assert (limit.parity, limit.degree) == (entry.parity, entry.degree), name
        assert (limit.slopes is not None) == bool(entry.kinks), name
        value, slope = (each.numpy() for each in activation(name)(torch.from_numpy(u)))
        np.testing.assert_allclose(limit.function(u), value, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(limit.derivative(u), slope, rtol=1e-13, atol=1e-13)


def test_a_name_that_is_no_entry_is_refused_and_the_schema_lists_the_entries(tmp_path: Path) -> None:
    for content, place in ((pinned.NETWORKS, "network"), (pinned.PARTICLES, "unit")):
        section = content[place] | {"activation": "swish"}
        with pytest.raises(SpecError, match=rf"{place}\.activation: found 'swish'; allowed: 'relu', .*'identity'"):
            make_spec(content | {place: section})
    with pytest.raises(SpecError, match=r"network\.activation: found 'staircase'; allowed"):
        make_spec(pinned.NETWORKS | {"network": pinned.NETWORKS["network"] | {"activation": "staircase"}})
    with pytest.raises(SpecError, match=r"data\.name: found 'line'; allowed: 'digits', 'file', 'gaussian'"):
        make_spec(pinned.NETWORKS | {"data": {"name": "line", "n_train": 4}})
    schema = str(spec_schema())
    assert all(repr(name) in schema for name in (*ACTIVATIONS, *DATASETS))


def test_an_added_activation_is_an_entry_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(ACTIVATIONS, "swish", added.PLAIN)
    assert "'swish'" in str(spec_schema())
    for content, place in ((pinned.NETWORKS, "network"), (pinned.PARTICLES, "unit")):
        other = content | {place: content[place] | {"activation": "swish"}}
        mine, known = (pinned.described(pinned.planned(each, tmp_path)) for each in (other, content))
        assert mine["first"][0] != known["first"][0]
        assert {key: mine[key] for key in ("memory", "disk")} == {key: known[key] for key in ("memory", "disk")}
        assert mine["seconds"] >= known["seconds"]  # PyTorch takes longer for a smooth function than NumPy for tanh
        store = tmp_path / f"{place}.zarr"
        assert sweepengine.run(other, store, executor="inline").done == 4 * (1 + (place == "network"))
        ds = sweepengine.open_sweep(store)
        assert set(ds.activation.values) == {"swish"}
        assert bool((ds.loss_train[:, -1] < ds.loss_train[:, 0]).all())
    assert bool(sweepengine.open_theory(tmp_path / "network.zarr").ntk_train.isnull().all())  # theory lists it not
    pretend_triton(monkeypatch, installed=True)
    assert not _fused.is_fused("swish", CUDA, torch.float32, biased=True)
    assert _fused.is_fused("gelu", CUDA, torch.float32, biased=True)  # twin
    neuron = Neuron(3, "swish")
    assert on_device(neuron, CUDA, torch.float32) is neuron
    assert _fused_particles.fits(Neuron(3, "gelu"), CUDA, torch.float32)  # twin
    monkeypatch.setitem(ACTIVATIONS, "swish", added.FUSED)
    assert _fused.is_fused("swish", CUDA, torch.float32, biased=False)
    assert _fused_particles.fits(neuron, CUDA, torch.float32)


def test_an_added_data_set_is_an_entry_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(DATASETS, "line", added.LineData)
    data: dict[str, Any] = {"name": "line", "n_train": 6}
    assert "'line'" in str(spec_schema())
    with pytest.raises(SpecError, match=r"data\.n_train: found 1; expected 2 or more"):
        make_spec(pinned.NETWORKS | {"data": data | {"n_train": 1}})
    with pytest.raises(SpecError, match=r"data\.n_trian: unknown key\. Did you mean 'n_train'\? Allowed here: n"):
        make_spec(pinned.NETWORKS | {"data": data | {"n_trian": 1}})
    fresh = pinned.PARTICLES["dynamics"] | {"samples": "fresh"}
    for content in (pinned.NETWORKS, pinned.PARTICLES, pinned.PARTICLES | {"dynamics": fresh, "name": "fresh"}):
        spec = make_spec(content | {"data": data})
        assert make_spec(spec.to_json()) == spec
        store = tmp_path / f"{spec.name}.zarr"
        assert sweepengine.run(spec, store, executor="inline").failed == 0
        np.testing.assert_array_equal(sweepengine.open_sweep(store).targets_train, np.linspace(-1, 1, 6))


def test_data_of_a_fixed_number_of_points_have_no_fresh_ones() -> None:
    digits = DATASETS["digits"].model_validate(pinned.DIGITS, strict=False)
    assert isinstance(digits, DataSection)
    assert load(digits).outputs == 1
    with pytest.raises(TypeError, match="found data 'digits', of which no new points can be drawn"):
        fresh_points(digits, 0, 0)
