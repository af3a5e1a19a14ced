"""Claims of drivers: one driver holds a store, and says so by a heartbeat.

A claim is an object of its own. A driver that wants the store first writes its claim and then looks for the claims of
others. So of two drivers that come at the same moment at least one sees the other. Epochs of claims only grow. They are
the high part of every attempt number and of every generation, which keeps the numbers right even where two drivers are
at work. The heartbeat is there so that a second driver is not started by mistake.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import RunError
from sweepengine.store._objects import (
    BrokenSealError,
    delete_object,
    get_object,
    get_sealed,
    list_objects,
    put_json,
    put_sealed,
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
_NAME = re.compile(rf"{CLAIMS}(\d+)-([0-9a-f]+)\.json")
_TAKEN_OVER = "another driver has taken over this store; let it finish, then run the same command again"


@dataclass(frozen=True)
class DriverClaim:
    """One driver's claim to a store.

    Attributes
    ----------
    epoch : int
        Higher than that of any driver before it.
    owner : str
        Random text, which tells apart two claims that were made at the same instant.
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
    owner: str
    process: Process | None = None
    since: float = 0.0
    beat: float = 0.0
    ended: bool = False
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of the claim in the store."""
        return f"{CLAIMS}{self.epoch:06d}-{self.owner}.json"

    @property
    def is_over(self) -> bool:
        """Whether its driver is known to write no more."""
        return self.ended or (self.process is not None and self.process.is_gone)

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
        """Write the claim."""
        content: dict[str, Any] = {"since": self.since, "beat": self.beat, "ended": self.ended, "epoch": self.epoch}
        content["progress"] = dict(self.progress)
        content["process"] = None if self.process is None else self.process.to_json()
        put_sealed(store, self.key, content)

    def described(self) -> str:
        """Who holds the store since when, for people."""
        since = dt.datetime.fromtimestamp(self.since, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        who = "a driver" if self.process is None else f"process {self.process.pid} on {self.process.host}"
        return f"{who} holds it since {since}, and was last heard {max(0.0, time.time() - self.beat):.0f} s ago"


def epoch_of(attempt: int) -> int:
    """Epoch of the driver that an attempt number belongs to."""
    return attempt // _TRIES_OF_A_DRIVER


def read_claims(store: Store) -> list[DriverClaim]:
    """All claims, the newest last."""
    names = ((key, _NAME.fullmatch(key)) for key in list_objects(store, CLAIMS))
    claims = [_read_claim(store, key, DriverClaim(int(name[1]), name[2])) for key, name in names if name]
    return sorted((claim for claim in claims if claim is not None), key=lambda claim: (claim.epoch, claim.owner))


def _read_claim(store: Store, key: str, bare: DriverClaim) -> DriverClaim | None:
    try:
        content = get_sealed(store, key)
        if content is None or content["epoch"] != bare.epoch:
            return None if content is None else bare
        known = {"since": content["since"], "beat": content["beat"], "ended": content["ended"]}
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


def next_epoch(store: Store, at_least: int) -> int:
    """The epoch of a driver that would claim the store now: higher than ``at_least`` and than that of every claim."""
    names = (_NAME.fullmatch(key) for key in list_objects(store, CLAIMS))
    return max([at_least, *(int(name[1]) for name in names if name)]) + 1


def take_claim(store: Store, at_least: int, *, take_over: bool = False) -> DriverClaim:
    """Become the store's driver.

    Parameters
    ----------
    store : Store
    at_least : int
        The new epoch will be higher than this.
    take_over : bool
        Whether to go on although another driver holds the store.

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
        rivals = [claim for claim in read_claims(store) if not claim.is_over]
        if not take_over:
            refuse_if_held([claim for claim in rivals if claim.is_fresh])
            refuse_if_held(_renewed(store, rivals))
        now = time.time()
        claim = DriverClaim(next_epoch(store, at_least), secrets.token_hex(4), Process.current(), now, now)
        claim.put(store)
        known = {rival.key for rival in rivals}
        rivals = [rival for rival in read_claims(store) if rival.key != claim.key]
        # Claims of ended drivers count too: a driver that had this epoch has left marks with its numbers.
        is_taken = any(rival.epoch >= claim.epoch for rival in rivals)
        if is_taken or any(rival.key not in known and not rival.is_over for rival in rivals if not take_over):
            delete_object(store, claim.key)
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 -- no result depends on it
            continue
        for older in rivals:
            delete_object(store, older.key)
        if get_object(store, LEGACY_CLAIM_KEY) is not None:
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
    claims = read_claims(store)
    if claims and claims[-1].epoch > claim.epoch:
        raise RunError(_TAKEN_OVER)
    if all(each.key != claim.key for each in claims):
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

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Have the next beat say how far the driver is: plain values, which are not changed afterwards."""
        self._progress = progress

    def stop(self) -> None:
        """Stop renewing the claim."""
        self._stop.set()
        self._thread.join()

    def end(self) -> None:
        """Say that the driver has ended, if its claim is still there."""
        self.stop()
        if get_object(self._store, self._claim.key) is not None:
            replace(self._claim, beat=time.time(), ended=True).put(self._store)
