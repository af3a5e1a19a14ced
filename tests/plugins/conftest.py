"""Each test registers for itself alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.plugins import own_registry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    """Each test registers for itself alone."""
    with own_registry():
        yield
