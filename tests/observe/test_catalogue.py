"""An observable of this package is one entry: what it says of itself, its cost, its conditions and its function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.observe import (
    FREE,
    Ingredient,
    canonical_names,
    declare,
    declared,
    observable,
    record_cost,
)
from sweepengine.observe.cloud_costs import WHOLE, WHOLE_IF_AFFORDABLE, CloudSizes
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

ENDS = observable(
    "output_ends",
    ("end",),
    "smallest and largest output",
    "a test",
    kind="networks",
    measure=lambda now, _: torch.stack(now.train.forward.outputs.aminmax(dim=-1), dim=-1),
    cost=(Ingredient(lambda s: 1e9 * s.n, working=lambda s: 10**9 * s.outputs),),
    defined_for=declared("networks")["linear_distance_train"].defined_for,
    sizes={"end": ("low", "high")},
)


@pytest.fixture(autouse=True)
def _own_catalogue() -> Iterator[None]:
    catalogue: list[Any] = [declared(kind) for kind in ("networks", "particles")]
    before = [dict(known) for known in catalogue]
    yield
    for known, names in zip(catalogue, before, strict=True):
        known.clear()
        known.update(names)


def test_one_entry_is_planned_recorded_stored_and_opened(tiny: Tiny, tmp_path: Path) -> None:
    content = tiny(axes={"scaling": ["ntk"], "width": [8], "seed": 1}) | {
        "observables": ["output_ends", "outputs_train"]
    }
    with pytest.raises(SpecError, match="found 'output_ends'"):
        canonical_names(make_spec(content))
    declare([ENDS])
    assert canonical_names(make_spec(content)) == ("outputs_train", "output_ends")
    plan = make_plan(make_spec(content), SweepStore(tmp_path / "none.zarr"))
    cheap = make_plan(make_spec(content | {"observables": ["outputs_train"]}), SweepStore(tmp_path / "none.zarr"))
    assert 0.9e9 < plan.memory_bytes() - cheap.memory_bytes() < 1.1e9
    sweepengine.run(content, tmp_path / "o.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "o.zarr").load()
    assert sweep.output_ends.dims == ("run", "record", "end")
    assert sweep.end.values.tolist() == ["low", "high"]
    np.testing.assert_array_equal(sweep.output_ends.sel(end="high"), sweep.outputs_train.max("i"))
    other = content | {"training": content["training"] | {"loss": "logistic", "method": "heun"}}
    with pytest.raises(SpecError, match=r"observables: output_ends follows .*training\.loss logistic .*method heun"):
        canonical_names(make_spec(other))


def test_a_name_is_declared_once_for_a_kind() -> None:
    declare([ENDS])
    with pytest.raises(ValueError, match="observable output_ends: declared twice for networks"):
        declare([ENDS])
    of_particles = observable("output_ends", (), "another", "a test", kind="particles", measure="a.module", cost=FREE)
    declare([of_particles])
    assert list(declared("particles"))[-1] == "output_ends"
    assert of_particles.measure == "a.module:output_ends"


def test_what_is_part_of_another_ingredient_costs_once() -> None:
    sizes = CloudSizes(100, 3, 8, 2, 0, 0, shards=2, item=8, velocity_flops=1.0, pass_bytes=1)
    alone = record_cost([WHOLE], sizes).kept
    assert (
        alone == record_cost([WHOLE_IF_AFFORDABLE], sizes).kept == record_cost([WHOLE_IF_AFFORDABLE, WHOLE], sizes).kept
    )
    assert alone == 4 * 8 * 100 * 4
