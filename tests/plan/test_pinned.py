"""Ids, layouts and plans of specs of every form are those of the commit that pinned them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import pinned

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED: dict[str, Any] = json.loads(pinned.KEPT.read_text())
SPECS = dict(pinned.specs())


def test_every_pinned_spec_is_looked_at() -> None:
    assert SPECS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_gives_the_ids_layouts_and_costs_that_were_pinned(name: str, tmp_path: Path) -> None:
    found = json.loads(json.dumps(pinned.described(pinned.planned(SPECS[name], tmp_path))))
    assert found == EXPECTED[name]
