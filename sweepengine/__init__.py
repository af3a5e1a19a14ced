"""Measure how fast wide neural networks approach their infinite-width limits.

The names below are loaded when first used, so that ``import sweepengine`` is cheap: it imports neither torch, ray nor
a plotting library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweepengine.execute import run as run
    from sweepengine.observe import register_observable as register_observable
    from sweepengine.plugins import register_kernel as register_kernel
    from sweepengine.plugins import register_model as register_model
    from sweepengine.plugins import register_potential as register_potential
    from sweepengine.plugins import register_unit as register_unit
    from sweepengine.spec import SweepSpec as SweepSpec
    from sweepengine.store import open_sweep as open_sweep
    from sweepengine.store import open_theory as open_theory

__version__ = "0.1.0"

_HOMES = {
    "SweepSpec": "sweepengine.spec",
    "open_sweep": "sweepengine.store",
    "open_theory": "sweepengine.store",
    "register_kernel": "sweepengine.plugins",
    "register_model": "sweepengine.plugins",
    "register_observable": "sweepengine.observe",
    "register_potential": "sweepengine.plugins",
    "register_unit": "sweepengine.plugins",
    "run": "sweepengine.execute",
}
_SUBPACKAGES = frozenset({"networks", "particles", "spec", "store", "theory"})

__all__ = [
    "SweepSpec",
    "__version__",
    "networks",
    "open_sweep",
    "open_theory",
    "particles",
    "register_kernel",
    "register_model",
    "register_observable",
    "register_potential",
    "register_unit",
    "run",
    "spec",
    "store",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
