"""What several tests of stores begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def created(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> Iterator[SweepStore]:
    """A claimed store with one block of four runs, nothing computed."""
    spec = make_spec(tiny(axes={"width": [8]}))
    store = SweepStore(tmp_path / "chunk.zarr")
    plan = make_plan(spec, store)
    store.claim()
    store.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
    yield store
    store.release()
