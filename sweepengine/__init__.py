"""Measure how fast wide neural networks approach their infinite-width limits.

The names below are loaded when first used, so that ``import sweepengine`` is cheap: it imports neither torch, ray nor
a plotting library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweepengine.claims import decide_claims as decide_claims
    from sweepengine.errors import DamagedError as DamagedError
    from sweepengine.errors import DamageWarning as DamageWarning
    from sweepengine.errors import DataError as DataError
    from sweepengine.errors import IncompleteWarning as IncompleteWarning
    from sweepengine.errors import RunError as RunError
    from sweepengine.errors import SpecError as SpecError
    from sweepengine.errors import StoreError as StoreError
    from sweepengine.errors import SweepError as SweepError
    from sweepengine.observe import register_observable as register_observable
    from sweepengine.plugins import register_kernel as register_kernel
    from sweepengine.plugins import register_model as register_model
    from sweepengine.plugins import register_potential as register_potential
    from sweepengine.plugins import register_unit as register_unit
    from sweepengine.spec import ModelSpec as ModelSpec
    from sweepengine.spec import ParticleSpec as ParticleSpec
    from sweepengine.spec import SweepSpec as SweepSpec
    from sweepengine.spec import make_spec as make_spec
    from sweepengine.spec import read_spec as read_spec
    from sweepengine.spec import register_kind as register_kind
    from sweepengine.store import open_sweep as open_sweep
    from sweepengine.store import open_theory as open_theory
    from sweepengine.sweeps import run as run

__version__ = "0.1.0"
"""The one place where the version stands; the package's metadata read it here."""

_NAMES = {
    "sweepengine.claims": ("decide_claims",),
    "sweepengine.errors": (
        "DamageWarning",
        "DamagedError",
        "DataError",
        "IncompleteWarning",
        "RunError",
        "SpecError",
        "StoreError",
        "SweepError",
    ),
    "sweepengine.observe": ("register_observable",),
    "sweepengine.plugins": ("register_kernel", "register_model", "register_potential", "register_unit"),
    "sweepengine.spec": ("ModelSpec", "ParticleSpec", "SweepSpec", "make_spec", "read_spec", "register_kind"),
    "sweepengine.store": ("open_sweep", "open_theory"),
    "sweepengine.sweeps": ("run",),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}
_SUBPACKAGES = frozenset({"analysis", "errors", "networks", "observe", "particles", "spec", "store", "theory"})

__all__ = [
    "DamageWarning",
    "DamagedError",
    "DataError",
    "IncompleteWarning",
    "ModelSpec",
    "ParticleSpec",
    "RunError",
    "SpecError",
    "StoreError",
    "SweepError",
    "SweepSpec",
    "__version__",
    "analysis",
    "decide_claims",
    "errors",
    "make_spec",
    "networks",
    "observe",
    "open_sweep",
    "open_theory",
    "particles",
    "read_spec",
    "register_kernel",
    "register_kind",
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
