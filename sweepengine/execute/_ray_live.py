"""What the executor knows of its tasks on Ray, and why they end. The module ``ray`` is an argument here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweepengine.execute._executor import LostNodeError, LowMemoryError

if TYPE_CHECKING:
    from sweepengine.execute._task import PackTask

_LONGEST = 300
"""Characters of Ray's report of a machine without memory; a list of all processes follows there."""


@dataclass(frozen=True)
class Worker:
    """The process that advances a task; the first item that a task yields.

    Attributes
    ----------
    node : str
        Ray's id of the process's machine.
    process : int
        The process id on that machine.
    """

    node: str
    process: int


@dataclass
class Live:
    """A task that was sent to Ray and has not ended.

    Attributes
    ----------
    task : PackTask
    group : placement group or None
        The resources that are reserved for a task of several workers.
    worker : Worker or None
        The process that advances the task; None until the task has named it.
    heard : float
        When the task last said something, in seconds of the monotonic clock.
    advancing : bool
        Whether the task has named a run that it advances: only then is its silence the silence of a run.
    """

    task: PackTask
    group: Any
    worker: Worker | None = None
    heard: float = 0.0
    advancing: bool = False


def cause(ray: Any, error: Exception) -> Exception:
    """Return the worker's own exception if Ray wrapped it, ours for what befalls machines, else the error itself."""
    if isinstance(error, (ray.exceptions.NodeDiedError, ray.exceptions.LocalRayletDiedError)):
        return LostNodeError("its node was lost")
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return LowMemoryError(" ".join(str(error).split())[:_LONGEST])
    own = getattr(error, "cause", None)
    return own if isinstance(own, Exception) else error
