"""Which specs may write into one store: the same fixed settings, any axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.errors import StoreError
from sweepengine.observe import canonical_names
from sweepengine.spec import SweepSpec, make_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.spec import AnySpec

_SWEEPABLE = ("depth", "activation", "alpha")
_IN_THE_CONTENT = ("data.path", "data.targets", "network.weights")
"""Settings that say where or how to find content; the content itself is compared by :meth:`SweepStore.check_contents`."""


def _settings(spec: AnySpec) -> dict[str, tuple[Any, ...]]:
    """Fixed settings, each with the values that it may have; a swept one has its axis' values."""
    settings = {key: (value,) for key, value in spec.fixed_settings().items() if key not in _IN_THE_CONTENT}
    settings["observables"] = (canonical_names(spec),)
    if not isinstance(spec, SweepSpec):
        return settings | {"functional.temperature": spec.temperatures}
    settings.setdefault("network.alpha", (1.0,))
    settings.setdefault("network.sigma_a", settings["network.sigma_w"])
    if all(ratio == 1 for ratio in spec.network.width_ratios or ()):
        settings.pop("network.width_ratios", None)
    for field in _SWEEPABLE:
        values = getattr(spec.axes, field)
        if values is not None:
            settings[f"network.{field}"] = tuple(values)
    return settings


def refuse_other_settings(address: str, written: Sequence[dict[str, Any]], spec: AnySpec) -> None:
    """Raise unless a spec's fixed settings agree with those of the specs that wrote a store.

    A setting that one of two specs sweeps agrees with the other's value if that is on the axis.

    Raises
    ------
    StoreError
        One line for each setting that differs, with both values.
    """
    ours = _settings(spec)
    for content in written:
        theirs = _settings(make_spec(content))
        differing = [
            f"{key}: the store has {_show(theirs.get(key))}, this spec {_show(ours.get(key))}"
            for key in sorted(ours.keys() | theirs.keys())
            if not set(map(repr, ours.get(key, ()))) & set(map(repr, theirs.get(key, ())))
        ]
        if differing:
            raise StoreError(
                f"store: {address} was written with other fixed settings (longer axes would be an extension):\n"
                + "\n".join(differing)
                + "\nName another --store, or go back to the settings of the store"
            )


def _show(values: tuple[Any, ...] | None) -> str:
    if not values:
        return "nothing"
    return ", ".join(map(str, values))
