"""Claims of drivers: one driver holds a store, and says so by a heartbeat.

A claim is an object of its own, named by its epoch, and a driver writes it on the condition that there is none: the
store itself admits one driver for each epoch. Epochs only grow. They are the high part of every attempt number and of
every generation, which keeps the numbers right even where two drivers are at work. A driver that has its claim looks
for the claims of others, so of two drivers that come at the same moment at least one sees the other. The heartbeat is
there so that a second driver is not started by mistake.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sweepengine.errors import RunError
from sweepengine.store._meanwhile import begin, completed
from sweepengine.store._objects import (
    BrokenSealError,
    create_object,
    delete_object,
    get_object,
    get_objects,
    list_objects,
    put_json,
    put_object,
    sealed,
    unsealed,
)
from sweepengine.store._process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarr.abc.store import Store

CLAIMS = "drivers/"
LEGACY_CLAIM_KEY = "driver.json"
BEAT_SECONDS = 5.0
FRESH_SECONDS = 30.0
_TRIES_OF_A_DRIVER = 1000
_TRIES_TO_CLAIM = 20
_FENCE_OF_OLD_VERSIONS = 999_999
_NAME = re.compile(rf"{CLAIMS}(\d+)(?:-[0-9a-f]+)?\.json")
"""A claim's key; earlier versions of this package put the owner into it too."""
_AT_WORK: set[str] = set()
"""Owners of the claims that drivers in this process hold."""
_TAKEN_OVER = "another driver has taken over this store; let it finish, then run the same command again"


@dataclass(frozen=True)
class DriverClaim:
    """One driver's claim to a store.

    Attributes
    ----------
    epoch : int
        Higher than that of any driver before it.
    key : str
        Key of the claim in the store.
    owner : str
        Random text, by which a driver knows the claim for its own.
    process : Process or None
        The driver; None where the claim is damaged.
    since, beat : float
        When the claim was made and when it was last renewed, in seconds since 1970.
    ended : bool
        Whether the driver has said that it will write no more.
    progress : dict
        How far the driver is, as it said with its last heartbeat; empty before.
    """

    epoch: int
    key: str
    owner: str = ""
    process: Process | None = None
    since: float = 0.0
    beat: float = 0.0
    ended: bool = False
    progress: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, epoch: int) -> DriverClaim:
        """A claim of this process, which is not in the store yet."""
        now = time.time()
        return cls(epoch, f"{CLAIMS}{epoch:06d}.json", secrets.token_hex(8), Process.current(), now, now)

    @property
    def is_over(self) -> bool:
        """Whether its driver is known to write no more."""
        if self.ended or self.process is None:
            return self.ended
        return self.process.is_gone or (self.process == Process.current() and self.owner not in _AT_WORK)

    @property
    def is_recent(self) -> bool:
        """Whether its driver is not known to have ended, and was heard a moment ago if its clock is like ours."""
        return not self.is_over and abs(time.time() - self.beat) < FRESH_SECONDS

    @property
    def is_fresh(self) -> bool:
        """Whether its driver is of this machine and was at work a moment ago.

        A claim of another machine is never fresh, because that machine's clock may be wrong.
        """
        is_here = self.process is not None and self.process.is_here
        return is_here and self.is_recent

    def attempt(self, number: int) -> int:
        """Attempt number of this driver's ``number``-th try of a chunk, 1 … 999."""
        if not 1 <= number < _TRIES_OF_A_DRIVER:
            raise ValueError(f"found try {number}; a driver tries a chunk 1 … {_TRIES_OF_A_DRIVER - 1} times")
        return self.epoch * _TRIES_OF_A_DRIVER + number

    @property
    def copying(self) -> int:
        """Number of the attempt under which this driver copies chunks, below the numbers of its tries."""
        return self.epoch * _TRIES_OF_A_DRIVER

    def put(self, store: Store) -> None:
        """Write the claim, over the one that is there."""
        put_object(store, self.key, self._content())

    def create(self, store: Store) -> bool:
        """Write the claim unless another driver has the epoch; return whether this driver has it."""
        return create_object(store, self.key, self._content())

    def _content(self) -> bytes:
        content: dict[str, Any] = {"since": self.since, "beat": self.beat, "ended": self.ended, "epoch": self.epoch}
        content |= {"owner": self.owner, "process": None if self.process is None else self.process.to_json()}
        return sealed(content | {"progress": dict(self.progress)})

    def described(self) -> str:
        """Who holds the store since when, for people."""
        since = dt.datetime.fromtimestamp(self.since, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        who = "a driver" if self.process is None else f"process {self.process.pid} on {self.process.host}"
        return f"{who} holds it since {since}, and was last heard {max(0.0, time.time() - self.beat):.0f} s ago"


def epoch_of(attempt: int) -> int:
    """Epoch of the driver that an attempt number belongs to."""
    return attempt // _TRIES_OF_A_DRIVER


def read_claims(store: Store, but: str = "") -> list[DriverClaim]:
    """All claims but the one at a key, the newest last."""
    epochs = {key: epoch for key, epoch in claimed_epochs(store).items() if key != but}
    stored = zip(epochs.items(), get_objects(store, list(epochs)), strict=True)
    return [_read_claim(content, DriverClaim(epoch, key)) for (key, epoch), content in stored if content is not None]


def claimed_epochs(store: Store) -> dict[str, int]:
    """Key → epoch of every claim, the newest last; no claim is read."""
    names = ((key, _NAME.fullmatch(key)) for key in list_objects(store, CLAIMS))
    return dict(sorted(((key, int(name[1])) for key, name in names if name), key=lambda named: named[::-1]))


def _read_claim(stored: bytes, bare: DriverClaim) -> DriverClaim:
    try:
        content = unsealed(stored)
        if content["epoch"] != bare.epoch:
            return bare
        known = {name: content[name] for name in ("since", "beat", "ended")} | {"owner": content.get("owner", "")}
        known["progress"] = content.get("progress", {})
    except (BrokenSealError, TypeError, KeyError):
        return bare  # damaged: it names no driver that could be at work, and only its epoch counts
    try:
        return replace(bare, process=Process(**content["process"]), **known)
    except TypeError:  # a later version of this package wrote it: it is watched like a claim of another machine
        return replace(bare, process=Process("another machine", "", 0, ""), **known)


def damaged_claims(store: Store) -> list[str]:
    """Keys of the claims whose content is not what was written."""
    return [claim.key for claim in read_claims(store) if claim.process is None]


def take_claim(store: Store, at_least: int, *, take_over: bool = False, is_legacy: bool = False) -> DriverClaim:
    """Become the store's driver.

    Parameters
    ----------
    store : Store
    at_least : int
        The new epoch will be higher than this.
    take_over : bool
        Whether to go on although another driver holds the store.
    is_legacy : bool
        Whether a driver of layout version 2, which knows other claims, may be at work.

    Returns
    -------
    DriverClaim
        The claim, which is in the store already.

    Raises
    ------
    RunError
        Another driver holds the store, or several drivers want it at the same moment.
    """
    for _ in range(_TRIES_TO_CLAIM):
        claims = read_claims(store)
        rivals = [claim for claim in claims if not claim.is_over]
        if not take_over:
            refuse_if_held([claim for claim in rivals if claim.is_fresh])
            refuse_if_held(_renewed(store, rivals))
        claim = DriverClaim.new(max([at_least, *(each.epoch for each in claims)]) + 1)
        _AT_WORK.add(claim.owner)
        if not claim.create(store):
            _AT_WORK.discard(claim.owner)
            continue
        known = {rival.key for rival in rivals}
        rivals = read_claims(store, but=claim.key)
        # Claims of ended drivers count too: where there is a later epoch, this one may have been another driver's,
        # whose claim is deleted and whose marks are still there.
        is_late = any(rival.epoch >= claim.epoch for rival in rivals)
        if is_late or any(rival.key not in known and not rival.is_over for rival in rivals if not take_over):
            delete_object(store, claim.key)
            _AT_WORK.discard(claim.owner)
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 -- no result depends on it
            continue
        for older in rivals:
            delete_object(store, older.key)
        if is_legacy and get_object(store, LEGACY_CLAIM_KEY) is not None:
            fence = {"epoch": _FENCE_OF_OLD_VERSIONS, "owner": claim.owner, "ended": True}
            put_json(store, LEGACY_CLAIM_KEY, fence)  # it stops a driver of an older version of this package
        return claim
    raise RunError("store: several drivers want it at the same moment; run the same command again")


def refuse_if_held(claims: list[DriverClaim]) -> None:
    """Raise :class:`RunError` for the first of some claims."""
    for claim in claims:
        raise RunError(
            f"store: {claim.described()}; let it finish, or stop it and run the same command again. "
            "--take-over takes the store from it"
        )


def _renewed(store: Store, claims: list[DriverClaim]) -> list[DriverClaim]:
    """Those claims of other machines that are renewed while we watch for a beat; their clocks are not believed."""
    silent = {claim.key: claim for claim in claims if claim.process is not None and not claim.process.is_here}
    if not silent:
        return []
    time.sleep(BEAT_SECONDS + 1)
    later = (claim for claim in read_claims(store) if claim.key in silent)
    return [claim for claim in later if claim.beat != silent[claim.key].beat]


def check_claim(store: Store, claim: DriverClaim) -> None:
    """Raise :class:`RunError` if another driver has taken over, or the claim is gone."""
    epochs = claimed_epochs(store)
    if max(epochs.values(), default=0) > claim.epoch:
        raise RunError(_TAKEN_OVER)
    if claim.key not in epochs:
        raise RunError("store: it was removed while this driver was at work; run the same command again")


class Heartbeat:
    """Renews a claim from a thread of its own, so that long steps do not look like a dead driver.

    Parameters
    ----------
    store : Store
    claim : DriverClaim
    """

    def __init__(self, store: Store, claim: DriverClaim) -> None:
        self._store, self._claim = store, claim
        self._progress: Mapping[str, Any] = {}
        self._look = completed(None)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sweepengine-heartbeat", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                # A claim that is gone is not made again: the store was removed, and its folder would come back.
                if get_object(self._store, self._claim.key) is not None and not self._stop.is_set():
                    replace(self._claim, beat=time.time(), progress=self._progress).put(self._store)
            except Exception:  # noqa: BLE001, S112 -- a full disk, a lost network: the driver's own work says so
                continue

    def look(self) -> None:
        """Raise :class:`RunError` if another driver has taken over, or the claim is gone.

        A far store answers later: this raises what the look before has found, and looks again meanwhile.
        """
        if self._look.done():
            self._look.result()
            self._look = begin(self._store, partial(check_claim, self._store, self._claim))

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Have the next beat say how far the driver is: plain values, which are not changed afterwards."""
        self._progress = progress

    def stop(self) -> None:
        """Stop renewing the claim."""
        self._stop.set()
        self._thread.join()
        _AT_WORK.discard(self._claim.owner)

    def end(self) -> bool:
        """Say that the driver has ended, if its claim is still there; return whether it is."""
        self.stop()
        if get_object(self._store, self._claim.key) is None:
            return False
        replace(self._claim, beat=time.time(), ended=True).put(self._store)
        return True
