"""The whole examination: a cluster file, a running cluster, a store, and this machine."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.cluster._checks import Check
from sweepengine.cluster._file import check_file
from sweepengine.cluster._machine import judge
from sweepengine.cluster._probe import probe
from sweepengine.cluster._token import holds_token, is_private, token_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def examine(
    environment: Mapping[str, str], *, file: str = "", address: str = "", store: str = ""
) -> Iterator[list[Check]]:
    """Yield the lines of an examination, part by part, as soon as each part is known.

    Parameters
    ----------
    environment : mapping
        Variables of the environment, which say whether Ray asks for a token and where it is.
    file : str
        A cluster file; empty for none.
    address : str
        Address by which a running cluster is joined; empty for none.
    store : str
        A store that this machine, and every node, must reach; where it is empty this machine tries its own disk.

    Raises
    ------
    ClusterError
        The cluster cannot be joined.
    StoreError
        The address of the store does not end in ``.zarr``.
    """
    if file:
        yield check_file(file)
    yield [check_token(environment)]
    with _trial(store) as place:
        here = probe(place)
        yield judge(here, store=place)
        if address:
            from sweepengine.cluster._nodes import check_nodes

            yield check_nodes(address, here, place if store else "")


@contextmanager
def _trial(store: str) -> Iterator[str]:
    """The address of a store to try, one in the current folder where none is given; no empty folder is left behind."""
    from sweepengine.store import normalise_address

    address = normalise_address(store or f".sweepengine-doctor-{secrets.token_hex(4)}.zarr")
    folder = Path(address)  # of a URL there is no such folder
    made = [each for each in (folder / "tokens", folder, *folder.parents) if not each.exists()]
    try:
        yield address
    finally:
        for each in made:
            with suppress(OSError):  # somebody has put something into it meanwhile
                each.rmdir()


def check_token(environment: Mapping[str, str]) -> Check:
    """The line about the token of this machine, with which it asks clusters, and starts them."""
    path, is_asked = token_path(environment), environment.get("RAY_AUTH_MODE", "").lower() == "token"
    cure = "sweepengine cluster token"
    if environment.get("RAY_AUTH_TOKEN"):
        found, there = "in RAY_AUTH_TOKEN", True
    else:
        there = holds_token(path)
        found = f"in {path}" if there else f"none in {path}"
        if there and not is_private(path):
            return Check(
                "warn", "token", f"{found}, which others can read", f"run `{cure}`, which makes it yours alone"
            )
    if is_asked and not there:
        return Check("fail", "token", f"{found}, and RAY_AUTH_MODE=token asks for one", f"run `{cure}`")
    if there and not is_asked:
        return Check(
            "warn", "token", f"{found}, and is not sent", "export RAY_AUTH_MODE=token, for clusters that ask for it"
        )
    return Check("pass", "token", found if there else f"{found}; clusters without RAY_AUTH_MODE=token need none")
