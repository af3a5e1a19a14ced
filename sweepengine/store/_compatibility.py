"""Which specs may write into one store: the same fixed settings, any axes."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from sweepengine.errors import DamagedError, StoreError
from sweepengine.observe import OUTPUT_DIMS, canonical_names, user_observable
from sweepengine.spec import make_spec
from sweepengine.store._objects import BrokenSealError, get_object, get_sealed, list_objects, put_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarr.abc.store import Store

    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnySpec
    from sweepengine.store._view import StoreView

    Bound = Mapping[tuple[str, str, str], set[tuple[str, str]]]
    """Kind, name and version of users' code → its fingerprints, each with the version of Python that it holds for."""

_CODE = "code/"
"""Where a store keeps which code is bound to it: one small object for each thing that users have registered."""
_IN_THE_CONTENT = ("data.path", "data.targets", "network.weights", "reference")
"""Settings that say where to find content; :meth:`StoreView.check_contents` compares the content itself."""


_SCHEDULE = ("time", "records")
"""Settings of a section that say how long runs are trained, and when they are recorded."""


class OtherScheduleError(StoreError):
    """A spec whose runs are those of a store, trained for another time or recorded at other steps."""


def _settings(spec: AnySpec, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
    """Every fixed setting of a spec → the values that it may have: one, or those of an axis if the spec sweeps it.

    ``used`` says which versions of users' code the spec's names mean, in the form in which provenance keeps it.
    """
    settings = {key: value for key, value in spec.agreed_settings(used).items() if key not in _IN_THE_CONTENT}
    user = {each["name"]: f"{each['name']}@{each['version']}" for each in used if each["kind"] == "observable"}
    return settings | {"observables": (canonical_names(spec, user),)}


def bind_code(store: Store, code: UserCode) -> None:
    """Bind users' code to a store: from now on the store takes runs of this version only, with this code only.

    To be called before the store commits the first run that the code has finished. Until then the code may be mended,
    under the same version or another.

    Parameters
    ----------
    store : Store
    code : UserCode
    """
    for used in code.used:
        # The fingerprint is in the name, so that a late worker cannot replace what another has bound.
        key = f"{_CODE}{used.kind}/{used.name}@{used.version}/{used.code}.json"
        if get_object(store, key) is None:
            put_sealed(store, key, used.provenance() | {"python": platform.python_version()})


def _bound(store: StoreView) -> Bound:
    """The users' code from which the finished runs of a store come.

    A store that was written before code was bound names none. There, all code in the provenance counts as bound as soon
    as any run is finished.
    """
    keys = list_objects(store.objects, _CODE)
    used = [each for key in keys if (each := _read_bound(store, key)) is not None]
    if not used and _has_finished_runs(store):
        entries = [entry["provenance"] for entry in store.attributes["specs"]]
        used = [each | {"python": entry["python"]} for entry in entries for each in entry.get("user_code", [])]
    bound: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for code in used:
        bound.setdefault((code["kind"], code["name"], code["version"]), set()).add((code["code"], code["python"]))
    return bound


def _read_bound(store: StoreView, key: str) -> dict[str, Any] | None:
    try:
        return get_sealed(store.objects, key) if key.endswith(".json") else None
    except BrokenSealError as error:
        raise DamagedError(f"store: {store.address}: {key} is damaged: {error}; restore it, or delete it") from error


def _has_finished_runs(store: StoreView) -> bool:
    every = store.run_marks(store.block_shapes())
    return any(mark is not None and mark.status.is_final for _, marks in every for mark in marks)


def refuse_other_settings(store: StoreView, spec: AnySpec, code: UserCode) -> None:
    """Raise unless a spec's fixed settings agree with those of the specs that wrote a store.

    Observables may be added to those of the store and times made longer, and a spec may name again what an earlier spec
    has named. A setting that the specs of the store have swept must have one of the values that they gave it, or more.
    Users' code must have the version that the store has, and other code under that version is refused. Code from which
    no finished run comes may change.

    Parameters
    ----------
    store : StoreView
    spec : AnySpec
    code : UserCode
        The users' code that the spec uses.

    Raises
    ------
    StoreError
        One line for each setting that differs, with both values.
    """
    address = store.address
    ours = _settings(spec, code.provenance())
    bound = _bound(store) if _uses_code(store) else {}
    _refuse_other_code(address, bound, code)
    _refuse_other_dims(store, code)
    theirs: dict[str, dict[str, Any]] = {}
    for settings in _written_settings(store, bound, code):
        for key, values in settings.items():
            theirs.setdefault(key, {}).update({repr(value): value for value in values})
    (names,) = ours["observables"]
    if all(set(each) <= set(names) for each in theirs["observables"].values()):
        del ours["observables"], theirs["observables"]
    for key in (key for key in ours.keys() & theirs.keys() if key.endswith(".time")):
        if all(ours[key][0] > value for value in theirs[key].values()):
            del ours[key], theirs[key]
    differing = {
        key: f"{key}: the store has {_show(tuple(theirs.get(key, {}).values()))}, this spec {_show(ours.get(key))}"
        for key in sorted(ours.keys() | theirs.keys())
        if not set(map(repr, ours.get(key, ()))) & theirs.get(key, {}).keys()
    }
    if differing:
        error = OtherScheduleError if all(key.split(".")[-1] in _SCHEDULE for key in differing) else StoreError
        raise error(
            f"store: {address} was written with other fixed settings (longer axes, more observables and a longer time "
            "would be an extension):\n"
            + "\n".join(differing.values())
            + "\nName another --store, or go back to the settings of the store"
        )


def recorded_observables(store: StoreView, code: UserCode) -> list[tuple[str, ...]]:
    """The sets of observables that the specs of a store have named, each once, in the order of the specs.

    Each holds those before it, or is one of them.

    Parameters
    ----------
    store : StoreView
    code : UserCode
        The users' code of the new spec.
    """
    bound = _bound(store) if _uses_code(store) else {}
    written = _written_settings(store, bound, code)
    return list(dict.fromkeys(settings["observables"][0] for settings in written))


def _uses_code(store: StoreView) -> bool:
    """Whether any spec of a store uses users' code; where none does, none is bound and there is no need to look."""
    return any(entry["provenance"].get("user_code") for entry in store.attributes.get("specs", ()))


def _written_settings(store: StoreView, bound: Bound, code: UserCode) -> Iterator[dict[str, tuple[Any, ...]]]:
    """The settings of each spec that has written to a store."""
    mine = code.provenance()
    for entry in store.attributes.get("specs", ()):
        used = [_unless_bound(each, bound, mine) for each in entry["provenance"].get("user_code", [])]
        yield _settings(make_spec(entry["spec"]), used)


def _unless_bound(used: Mapping[str, str], bound: Bound, mine: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Users' code of an earlier spec: in the version that is bound; where none is, in that of the new spec."""
    for kind, name, version in bound:
        if (kind, name) == (used["kind"], used["name"]):
            return {**used, "version": version}
    same = (each for each in mine if (each["kind"], each["name"]) == (used["kind"], used["name"]))
    return next(same, used)


def _refuse_other_code(address: str, bound: Bound, code: UserCode) -> None:
    """Raise if a bound version stands for other code now; only fingerprints of our version of Python are compared."""
    for used in code.used:
        known = bound.get((used.kind, used.name, used.version), set())
        fingerprints = {fingerprint for fingerprint, python in known if python == platform.python_version()}
        if fingerprints and used.code not in fingerprints:
            raise StoreError(
                f"store: {address} was written with other code of {used.kind} {used.name} under version "
                f"{used.version!r}; give the changed code another version and name another --store, or go back to the "
                "code of the store"
            )


def _refuse_other_dims(store: StoreView, code: UserCode) -> None:
    """Raise if an observable has other dims than in the store.

    Failed runs bind no code, so a version with other dims may have been given up; its blocks still have those dims.
    """
    shapes = store.block_shapes().values() if code.used else ()
    for used in code.used:
        if used.kind != "observable":
            continue
        ours = user_observable(f"{used.name}@{used.version}")
        held = [(shape, variable) for shape in shapes for variable in shape.variables if variable.name == used.name]
        for shape, variable in held:
            theirs = tuple(dim for dim in variable.dims if dim not in OUTPUT_DIMS)
            dims = tuple(dim for dim in ours.variable.dims if dim not in OUTPUT_DIMS)
            if theirs != dims or any(shape.sizes.get(dim) != size for dim, size in ours.extents.items()):
                raise StoreError(
                    f"store: {store.address} has the observable {used.name} with dims "
                    f"{ {dim: shape.sizes[dim] for dim in theirs[2:]} }, here it has {list(dims[2:])} with sizes "
                    f"{ours.extents}; name another --store, or give the observable another name"
                )


def _show(values: tuple[Any, ...] | None) -> str:
    if not values:
        return "nothing"
    names = (name for value in values for name in (value if isinstance(value, tuple) else (str(value),)))
    return ", ".join(dict.fromkeys(names))
