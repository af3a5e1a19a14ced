"""What the command ``gc`` does: say what killed writers have left, and delete it if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweepengine.store import Litter


def gc_command(store: str, *, delete: bool, take_over: bool) -> None:
    """Print what nothing in a store refers to, by kind; delete it only if asked to."""
    from sweepengine.amounts import show_bytes
    from sweepengine.store import SweepStore, collect_litter, find_litter, refuse_litter_of_the_living

    sweep_store = SweepStore(store)
    sweep_store.must_exist()
    found: list[Litter] = []

    def tell(litter: Litter) -> None:
        found.append(litter)
        print(f"{litter.kind}: {_objects(len(litter.keys))}, {show_bytes(litter.nbytes)}")

    if delete:
        collect_litter(sweep_store, take_over=take_over, told=tell)
    else:
        if not take_over:
            refuse_litter_of_the_living(sweep_store)
        for litter in find_litter(sweep_store):
            tell(litter)
    objects, nbytes = sum(len(each.keys) for each in found), sum(each.nbytes for each in found)
    total = f"{sweep_store.address}: {_objects(objects)}, {show_bytes(nbytes)}"
    if not objects:
        print(f"{sweep_store.address}: everything belongs to something")
    else:
        print(f"{total} deleted" if delete else f"{total} could go; nothing was deleted, --delete does it")


def _objects(count: int) -> str:
    return f"{count} {'object' if count == 1 else 'objects'}"
