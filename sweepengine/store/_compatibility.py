"""Which specs may write into one store: the same fixed settings, any axes."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from sweepengine.errors import StoreError
from sweepengine.observe import canonical_names
from sweepengine.spec import SweepSpec, make_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnySpec

_TERM_KINDS = ("potential", "kernel")
"""Kinds of users' code that are terms of a functional."""
_SWEEPABLE = ("depth", "activation", "alpha")
_IN_THE_CONTENT = ("data.path", "data.targets", "network.weights", "reference")
"""Settings that say where or how to find content; the content itself is compared by :meth:`SweepStore.check_contents`."""


def _settings(spec: AnySpec, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
    """Fixed settings, each with the values that it may have; a swept one has its axis' values.

    ``used`` says which versions of users' code the spec's names mean, as provenance keeps it.
    """
    settings = {key: (value,) for key, value in spec.fixed_settings().items() if key not in _IN_THE_CONTENT}
    user = {each["name"]: f"{each['name']}@{each['version']}" for each in used if each["kind"] == "observable"}
    settings["observables"] = (canonical_names(spec, user) or "the default set",)
    if not isinstance(spec, SweepSpec):
        terms = {f"{each['kind']} {each['name']}": (each["version"],) for each in used if each["kind"] in _TERM_KINDS}
        return settings | {"functional.temperature": spec.temperatures} | terms
    for each in used:
        if each["kind"] == "model":
            settings["network.model"] = (f"{each['name']}@{each['version']}",)
    settings.setdefault("network.alpha", (1.0,))
    if "network.sigma_w" in settings:
        settings.setdefault("network.sigma_a", settings["network.sigma_w"])
    if all(ratio == 1 for ratio in spec.network.width_ratios or ()):
        settings.pop("network.width_ratios", None)
    for field in _SWEEPABLE:
        values = getattr(spec.axes, field)
        if values is not None:
            settings[f"network.{field}"] = tuple(values)
    return settings


def refuse_other_settings(address: str, written: Sequence[dict[str, Any]], spec: AnySpec, code: UserCode) -> None:
    """Raise unless a spec's fixed settings agree with those of the specs that wrote a store.

    A setting that one of two specs sweeps agrees with the other's value if that is on the axis. Users' code agrees if
    its version does; the same version of other code is refused.

    Parameters
    ----------
    address : str
    written : sequence of dict
        ``spec`` and ``provenance`` of each spec that wrote the store.
    spec : SweepSpec
    code : UserCode
        What the spec uses.

    Raises
    ------
    StoreError
        One line for each setting that differs, with both values.
    """
    ours = _settings(spec, code.provenance())
    for entry in written:
        used = entry["provenance"].get("user_code", [])
        _refuse_other_code(address, used, entry["provenance"]["python"], code)
        theirs = _settings(make_spec(entry["spec"]), used)
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


def _refuse_other_code(address: str, used: Sequence[Mapping[str, str]], python: str, code: UserCode) -> None:
    """Raise if a version that the store has stands for other code now; fingerprints hold for one version of Python."""
    known = {(each["kind"], each["name"], each["version"]): each["code"] for each in used}
    for each in code.used if python == platform.python_version() else ():
        if known.get((each.kind, each.name, each.version), each.code) != each.code:
            raise StoreError(
                f"store: {address} was written with other code of {each.kind} {each.name} under version {each.version!r}; "
                "give the changed code another version and name another --store, or go back to the code of the store"
            )


def _show(values: tuple[Any, ...] | None) -> str:
    if not values:
        return "nothing"
    return ", ".join(map(str, values))
