"""How to run a sweep: nothing of it changes a result beyond rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from sweepengine.errors import SpecError
from sweepengine.execute._device import DeviceName

if TYPE_CHECKING:
    from sweepengine.spec import AnySpec

ExecutorName = Literal["ray", "inline"]
Durability = Literal["rename", "fsync"]


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which changes a result beyond rounding.

    Attributes
    ----------
    executor : {"ray", "inline"}
    address : str or None
        A running Ray cluster; None starts a private one.
    workers : int or None
        Tasks at the same time on a private cluster; None takes every CPU.
    runs_per_turn : int or None
        Runs advanced together in batched products; 1 keeps a run's bits whatever pack it is in. None: 1 on a CPU.
    commit_seconds : float
        Longest time between two commits.
    device : {"auto", "cpu", "cuda"}
        Where tasks compute.
    cuda_graphs : bool
        Whether steps of networks are recorded as CUDA graphs and replayed; with device ``cuda``.
    take_over : bool
        Whether this driver takes the store from a driver that still holds it.
    run_timeout : float or None
        Seconds after which a run that has said nothing is recorded as failed, with the executor ``ray``; None: never.
    durability : {"rename", "fsync"}
        What a commit survives: any killed process, or a power cut too.

    Raises
    ------
    SpecError
        An option has a value that it cannot have, or two options exclude each other.
    """

    executor: ExecutorName = "ray"
    address: str | None = None
    workers: int | None = None
    runs_per_turn: int | None = None
    commit_seconds: float = 10.0
    device: DeviceName = "auto"
    cuda_graphs: bool = False
    take_over: bool = False
    run_timeout: float | None = None
    durability: Durability = "rename"

    def __post_init__(self) -> None:
        for name, found, allowed in (
            ("executor", self.executor, get_args(ExecutorName)),
            ("device", self.device, get_args(DeviceName)),
            ("durability", self.durability, get_args(Durability)),
        ):
            if found not in allowed:
                raise SpecError(f"{name}: found {found!r}; allowed: {', '.join(map(repr, allowed))}")
        for name, for_ray in (
            ("workers", self.workers),
            ("address", self.address),
            ("run_timeout", self.run_timeout),
        ):
            if for_ray is not None and self.executor != "ray":
                raise SpecError(f"{name}: goes with the executor 'ray' only; leave one of them out")
        for name, number in (("workers", self.workers), ("runs_per_turn", self.runs_per_turn)):
            if number is not None and not (isinstance(number, int) and number > 0):
                raise SpecError(f"{name}: found {number}; expected a whole number from 1 on")
        for name, seconds in (("commit_seconds", self.commit_seconds), ("run_timeout", self.run_timeout)):
            if seconds is not None and not seconds > 0:
                raise SpecError(f"{name}: found {seconds}; expected a number of seconds above 0")
        if self.cuda_graphs and self.device != "cuda":
            raise SpecError(f"cuda_graphs: found device {self.device!r}; set device 'cuda', or leave cuda_graphs out")


def refuse_unlike_steps(spec: AnySpec) -> None:
    """Raise for a sweep whose steps cannot be recorded once and replayed.

    Raises
    ------
    SpecError
    """
    found = spec.unlike_steps()
    if found:
        raise SpecError(f"cuda_graphs: found {found}, whose steps are not recorded; leave cuda_graphs out")
