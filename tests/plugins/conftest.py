"""Each test registers for itself alone."""

from __future__ import annotations

import pytest

from sweepengine.plugins import _registry


@pytest.fixture(autouse=True)
def _fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test registers for itself alone."""
    monkeypatch.setattr(_registry, "_REGISTRY", _registry._Registry())
