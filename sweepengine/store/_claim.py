"""The driver's claim: of several drivers on one store, the newest goes on and the others stop.

A claim is an epoch that only grows. It is the high part of every attempt number of the driver's tasks, so a mark of a
newer driver always outranks one of an older, and metadata are written by the holder of the newest epoch only. A killed
driver needs no clean-up: the next one simply has a higher epoch.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.errors import RunError
from sweepengine.store._objects import get_json, put_json

if TYPE_CHECKING:
    from zarr.abc.store import Store

CLAIM_KEY = "driver.json"
_TRIES_OF_A_DRIVER = 1000
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Claim:
    """One driver's hold on a store.

    Attributes
    ----------
    epoch : int
        Higher than that of any driver before.
    owner : str
        Random; tells two drivers apart that took the same epoch at the same instant.
    """

    epoch: int
    owner: str

    def attempt(self, number: int) -> int:
        """Attempt number of this driver's ``number``-th try of a chunk, 1 … 999."""
        if not 1 <= number < _TRIES_OF_A_DRIVER:
            raise ValueError(f"found try {number}; a driver tries a chunk 1 … {_TRIES_OF_A_DRIVER - 1} times")
        return self.epoch * _TRIES_OF_A_DRIVER + number


def take_claim(store: Store) -> Claim:
    """Become the store's driver.

    Where the last driver has not said that it ended, wait for half a second: it looks at the claim just before it
    publishes, so what it was publishing is then either there or will not come.

    Raises
    ------
    RunError
        Yet another driver took over in that time.
    """
    last = get_json(store, CLAIM_KEY)
    claim = Claim(1 if last is None else int(last["epoch"]) + 1, secrets.token_hex(8))
    put_json(store, CLAIM_KEY, {"epoch": claim.epoch, "owner": claim.owner, "ended": False})
    if last is not None and not last["ended"]:
        time.sleep(_SETTLE_SECONDS)
    check_claim(store, claim)
    return claim


def check_claim(store: Store, claim: Claim) -> None:
    """Raise :class:`RunError` if another driver has taken over."""
    found = get_json(store, CLAIM_KEY)
    if found is None or (found["epoch"], found["owner"]) != (claim.epoch, claim.owner):
        raise RunError("another driver has taken over this store; let it finish, then run the same command again")


def end_claim(store: Store, claim: Claim) -> None:
    """Say that this driver has ended, unless another has taken over."""
    found = get_json(store, CLAIM_KEY)
    if found is not None and found["owner"] == claim.owner:
        put_json(store, CLAIM_KEY, found | {"ended": True})
