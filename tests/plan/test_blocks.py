"""How runs are laid out in blocks: which share one, and the names and sizes of the dims."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.plan import make_plan
from sweepengine.spec import Run, make_spec
from sweepengine.store import SweepStore
from tests.support.plugins import fresh_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sweepengine.plan import Plan
    from sweepengine.store import Block

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    fresh_registry()
    yield
    fresh_registry()


def planned(content: dict[str, Any]) -> Plan:
    return make_plan(make_spec(content), SweepStore("memory://nothing-is-written.zarr"))


def shapes(block: Block) -> dict[str, tuple[int, ...]]:
    """Variable → shape of its array for one run and record."""
    return {each.name: block.shape.array_shape(each)[2:] for each in block.shape.variables}


def test_runs_that_differ_in_seed_and_scaling_share_a_block_and_others_do_not(tiny: Tiny) -> None:
    content = tiny(axes={"width": [8, 16], "depth": [1, 2], "seed": 3})
    del content["network"]["depth"]
    blocks = planned(content).new_blocks
    assert len(blocks) == 4
    for block in blocks:
        assert len(block.runs) == block.shape.runs == 2 * 3
        assert len({(run.width, run.architecture) for run in block.runs if isinstance(run, Run)}) == 1
    assert len({run.id for block in blocks for run in block.runs}) == 4 * 6


@pytest.mark.parametrize(("classes", "outputs"), [([3, 8], ()), ([1, 3, 8], (3,))])
def test_outputs_are_a_dim_where_there_are_several(tiny: Tiny, classes: list[int], outputs: tuple[int, ...]) -> None:
    names = ["loss_train", "outputs_train", "outputs_test", "kernel", "kernel_full", "residual_modes"]
    content = tiny(axes={"width": [8]}, data={"classes": classes}) | {"observables": names}
    [block] = planned(content).new_blocks
    found = shapes(block)
    assert list(found) == names
    assert found["loss_train"] == ()
    assert found["outputs_train"] == (12, *outputs)
    assert found["outputs_test"] == (10, *outputs)
    assert found["kernel"] == (12, 12)
    assert math.prod(found["kernel_full"]) == (12 * math.prod(outputs)) ** 2
    assert found["residual_modes"] == (12 * math.prod(outputs),)


@pytest.mark.parametrize("depth", [1, 3])
def test_layers_have_their_names_and_numbers(tiny: Tiny, depth: int) -> None:
    names = ["movement_relative", "preactivation_movement", "linear_params_distance"]
    content = tiny(network={"depth": depth, "sigma_b": 0.5}, axes={"width": [8]}) | {"observables": names}
    [block] = planned(content).new_blocks
    assert block.shape.labels["layer"] == tuple(f"W{layer}" for layer in range(depth + 1))
    assert shapes(block)["movement_relative"] == (depth + 1,)
    assert block.shape.sizes["hidden"] == depth
    weights, biases = 64 * 8 + 8 * 8 * (depth - 1) + 8, 8 * depth
    assert block.shape.sizes["parameter"] == weights + biases


def test_dims_of_users_have_their_sizes_beside_those_of_the_sweep(tiny: Tiny) -> None:
    sweepengine.register_observable(name="o", dims=["bin", "i"], sizes={"bin": 5}, long_name="o")(lambda now, _: now)
    sweepengine.register_observable(name="p", dims=["bin", "layer"], sizes={"bin": 5}, long_name="p")(
        lambda now, _: now
    )
    content = tiny(axes={"width": [8]}) | {"observables": ["loss_train", "o", "p"]}
    [block] = planned(content).new_blocks
    assert [each.dims for each in block.shape.variables][1:] == [
        ("run", "record", "bin", "i"),
        ("run", "record", "bin", "layer"),
    ]
    assert list(shapes(block).values()) == [(), (5, 12), (5, 2)]


def test_two_sizes_of_one_dim_and_a_dim_without_one_are_refused(tiny: Tiny) -> None:
    for name, sizes in (("o", {"bin": 5}), ("p", {"bin": 6}), ("q", {})):
        sweepengine.register_observable(name=name, dims=["bin"], sizes=sizes, long_name=name)(lambda now, _: now)
    with pytest.raises(SpecError, match=r"observable p@1: gives dim 'bin' size 6; here it has 5 already"):
        planned(tiny() | {"observables": ["o", "p"]})
    with pytest.raises(SpecError, match=r"observable q@1: its dim 'bin' has no size; give one with sizes={'bin': …}"):
        planned(tiny() | {"observables": ["q"]})
    [block, _] = planned(tiny() | {"observables": ["o", "q"]}).new_blocks  # which has the size of the first
    assert list(shapes(block).values()) == [(5,), (5,)]
