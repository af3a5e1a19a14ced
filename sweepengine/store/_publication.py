"""Publications of drivers: the newest one says what a store holds.

A publication is an object of its own, named by its generation, and the newest generation counts. So a driver that was
suspended before it published, and wakes after a newer driver has published, writes an object that nobody looks at.
``zarr.json`` at the root is a copy of the newest publication, for readers of zarr; where a late driver has put an older
one there, the next driver puts the newest back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import DamagedError, RunError, StoreError
from sweepengine.store._digests import digest
from sweepengine.store._layout import ADDS_TO, EXTENDED_VERSION, LEGACY_VERSION, LONGER_THAN, SCHEMA_VERSION
from sweepengine.store._nodes import Nodes
from sweepengine.store._objects import (
    BrokenSealError,
    delete_object,
    get_object,
    get_objects,
    list_objects,
    put_object,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarr.abc.store import Store

ROOT_KEY = "zarr.json"
PUBLICATIONS = "publications/"
LOOKS = 20
"""How often to look again for an object that was listed and is gone."""
_SEAL = "sweepengine_seal"
_NAME = re.compile(rf"{PUBLICATIONS}(\d+)-(\d+)\.json")


@dataclass(frozen=True, order=True)
class Generation:
    """Number of a publication.

    Attributes
    ----------
    epoch : int
        Epoch of the driver; 0 for a store of layout version 2, which had no generations.
    number : int
        Counts the driver's publications, from 1 on.
    """

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch:06d}-{self.number:03d}"

    @property
    def key(self) -> str:
        """Key of the publication in the store."""
        return f"{PUBLICATIONS}{self}.json"


LEGACY = Generation(0, 0)


@dataclass(frozen=True)
class Publication:
    """One state of a store, as its driver published it.

    Attributes
    ----------
    generation : Generation
    attributes : dict
        Attributes of the root: specs, provenance, ids of data and of what is given beside them.
    nodes : Nodes
        Every group and array of the store.
    content : bytes
        The root's ``zarr.json``.
    troubles : tuple of str
        What is wrong with the stored copies of the publication; writing them again mends it.
    """

    generation: Generation
    attributes: dict[str, Any]
    nodes: Nodes
    content: bytes
    troubles: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Path of the table of runs."""
        return str(self.attributes.get("table", "runs"))


def make_publication(generation: Generation, attributes: Mapping[str, Any], nodes: Mapping[str, Any]) -> Publication:
    """Make a publication, and seal it with its digest.

    Parameters
    ----------
    generation : Generation
    attributes, nodes : mapping
        Attributes of the root, and path → metadata of every node.
    """
    is_extended = any(f"{attributes.get('table')}/{column}" in nodes for column in (ADDS_TO, LONGER_THAN))
    version = EXTENDED_VERSION if is_extended else SCHEMA_VERSION
    attributes = {**attributes, "sweepengine_schema": version, "generation": str(generation)}
    attributes.pop(_SEAL, None)
    content = {
        "attributes": attributes,
        "zarr_format": 3,
        "node_type": "group",
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(nodes)},
    }
    attributes[_SEAL] = digest(to_json(content))
    return Publication(generation, attributes, Nodes(nodes), to_json(content))


def write_publication(store: Store, publication: Publication) -> Publication:
    """Write a publication as the store's newest, and a copy as its root, for readers of zarr; return what is read then.

    Raises
    ------
    RunError
        A later driver has published meanwhile; its publication stays the newest.
    """
    put_object(store, publication.generation.key, publication.content)
    put_object(store, ROOT_KEY, publication.content)
    names = _generations(store)
    if max(names) > publication.generation:
        newest = get_object(store, max(names).key)
        if newest is not None:
            put_object(store, ROOT_KEY, newest)
        raise RunError("another driver has taken over this store; let it finish, then run the same command again")
    for older in names:
        if older < publication.generation:
            delete_object(store, older.key)
    return _parsed(publication.content)


def must_be_published(store: Store) -> None:
    """Raise unless something has been published.

    Raises
    ------
    StoreError
        Nothing has been published: the store was removed while somebody was at work in it.
    """
    if newest_generation(store) is None:
        raise StoreError("the store was removed while it was written; run the same command again")


def newest_generation(store: Store) -> Generation | None:
    """The generation that counts, without reading it; None before the first, and for a store of layout version 2."""
    return max(_generations(store), default=None)


def read_publication(store: Store) -> Publication | None:
    """Read the newest publication; None if there is neither a publication nor a root.

    Raises
    ------
    StoreError
        The root is not one of this project or this version.
    DamagedError, BrokenSealError
        The newest publication is damaged.
    """
    for _ in range(LOOKS):
        newest = newest_generation(store)
        root, *found = get_objects(store, [ROOT_KEY, *([] if newest is None else [newest.key])])
        published = found[0] if found else None
        if newest is None or published is not None:
            break  # else a driver has just replaced the publication: look again
    if newest is None:
        if root is None:
            return None
        copy = _parsed(root)
        is_lost = copy.generation != LEGACY
        return replace(copy, troubles=(f"{copy.generation.key} is lost",)) if is_lost else copy
    copies: list[Publication] = []
    troubles: list[str] = []
    for key, content in ((newest.key, published), (ROOT_KEY, root)):
        if key == ROOT_KEY and copies and content == published:
            continue  # with many blocks it takes seconds to parse
        if content is None:
            troubles.append(f"{key} is lost")
            continue
        try:
            copies.append(_parsed(content))
        except (StoreError, BrokenSealError) as error:
            troubles.append(f"{key}: {error}")
    best = max(copies, key=lambda copy: copy.generation, default=None)
    if best is None or best.generation < newest:
        raise DamagedError(f"the newest publication is damaged: {'; '.join(troubles)}")
    if best.generation > newest:
        troubles.append(f"{best.generation.key} is lost")
    if any(copy.generation < best.generation for copy in copies):
        troubles.append(f"{ROOT_KEY} is older than {best.generation.key}: other readers of zarr see an earlier state")
    return replace(best, troubles=tuple(troubles))


def _generations(store: Store) -> list[Generation]:
    names = (_NAME.fullmatch(key) for key in list_objects(store, PUBLICATIONS))
    return [Generation(int(name[1]), int(name[2])) for name in names if name]


def _parsed(content: bytes) -> Publication:
    """Parse the bytes of a publication, or of its copy at the root.

    Raises
    ------
    StoreError
        The root is not one of this project, or is of another version of its layout.
    BrokenSealError
        The publication is not what was written.
    """
    try:
        root = json.loads(content)
        attributes = dict(root["attributes"])
        version = attributes.get("sweepengine_schema")
        nodes = root.get("consolidated_metadata", {}).get("metadata", {})
        seal = attributes.pop(_SEAL, None)
        is_whole = seal == digest(to_json({**root, "attributes": attributes}))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenSealError(f"it cannot be understood ({type(error).__name__}: {error})") from error
    if version is None:
        raise StoreError("it is a zarr store, but not of sweepengine; name another --store")
    if version not in (LEGACY_VERSION, SCHEMA_VERSION, EXTENDED_VERSION):
        raise StoreError(
            f"it has layout version {version}, this sweepengine reads {LEGACY_VERSION} to {EXTENDED_VERSION}; "
            "use the version that wrote it"
        )
    if version == LEGACY_VERSION:
        if root.get("node_type") != "group" or not nodes:
            raise BrokenSealError("it is no group with the metadata of its nodes")
        return Publication(LEGACY, attributes, Nodes(nodes), content)
    if not is_whole:
        raise BrokenSealError("it does not have the digest that it was sealed with")
    epoch, number = map(int, str(attributes["generation"]).split("-"))
    return Publication(Generation(epoch, number), {**attributes, _SEAL: seal}, Nodes(nodes), content)
