"""How to run a sweep: one entry for each option, from which the command line, Python and the tasks take it.

Nothing of it changes a result beyond rounding. Imports nothing but the errors, so that ``--help`` is quick.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from sweepengine.errors import SpecError

DeviceName = Literal["auto", "cpu", "cuda"]
ExecutorName = Literal["ray", "inline"]
Durability = Literal["rename", "fsync"]


def _said(text: str, *, least: float | None = None, above: float | None = None, ray: bool = False) -> dict[str, Any]:
    """What ``--help`` says of an option, the range of its numbers, and whether it goes with Ray only."""
    return {"help": text, "least": least, "above": above, "ray": ray}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run. Each attribute is an option of :func:`sweepengine.run` and of ``sweepengine run``.

    Attributes
    ----------
    executor : {"ray", "inline"}
        Ray, or this process; the numbers are the same to the bit.
    address : str or None
        A running Ray cluster; None starts a private one and stops it.
    workers : int or None
        Tasks at the same time on a private cluster; None takes every CPU.
    runs_per_turn : int or None
        Runs advanced together in batched products. 1, the fastest and the default on a CPU, keeps a run's bits whatever
        pack it is in; more gives the same numbers to rounding.
    commit_seconds : float
        Longest time between two commits: what a killed sweep loses at most.
    device : {"auto", "cpu", "cuda"}
        Where tasks compute; auto takes GPUs where there are some. Another device gives the same numbers to rounding.
    cuda_graphs : bool
        With device ``cuda``: record a step of networks once as a CUDA graph and replay it between records, where all
        steps are alike (gd, momentum on all points, heun, rk4; no models of one's own). What is replayed is compared
        with the step itself first. Never run on a GPU so far.
    take_over : bool
        Take the store from a driver that still holds it; that driver stops.
    run_timeout : float or None
        With the executor ``ray``: seconds after which a run that has said nothing is stopped and recorded as failed.
    durability : {"rename", "fsync"}
        ``rename``: a commit survives any killed process. ``fsync``: it survives a power cut too, and takes longer.

    Raises
    ------
    SpecError
        An option has a value that it cannot have, or two options exclude each other.
    """

    executor: ExecutorName = field(default="ray", metadata=_said("ray, or inline: in this process, for debugging."))
    address: str | None = field(
        default=None, metadata=_said("A running Ray cluster; a private one is started where not given.", ray=True)
    )
    workers: int | None = field(
        default=None,
        metadata=_said("Tasks at the same time on the private cluster; every CPU where not given.", least=1, ray=True),
    )
    runs_per_turn: int | None = field(
        default=None,
        metadata=_said(
            "Runs advanced together in batched products; 1 on a CPU and 16 on a GPU where not given.", least=1
        ),
    )
    commit_seconds: float = field(
        default=10.0, metadata=_said("Longest time between two commits: what a killed sweep loses.", above=0)
    )
    device: DeviceName = field(
        default="auto", metadata=_said("Where tasks compute; auto takes GPUs where there are some.")
    )
    cuda_graphs: bool = field(
        default=False,
        metadata=_said("With --device cuda: replay steps of networks as CUDA graphs. Never run on a GPU so far."),
    )
    take_over: bool = field(
        default=False, metadata=_said("Take the store from a driver that still holds it; that driver stops.")
    )
    run_timeout: float | None = field(
        default=None,
        metadata=_said(
            "On Ray: seconds after which a run that has said nothing is stopped and recorded as failed.",
            above=0,
            ray=True,
        ),
    )
    durability: Durability = field(
        default="rename",
        metadata=_said("What a commit survives: rename, any killed process; fsync, a power cut too (slower)."),
    )

    @classmethod
    def of(cls, options: dict[str, Any]) -> RunOptions:
        """Options by name. Raises :class:`SpecError` for a name that is none."""
        known = [each.name for each in fields(cls)]
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise SpecError(f"{name}: unknown option.{hint} Options: {', '.join(known)}")
        return cls(**options)

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for each in fields(self):
            _check(each.name, getattr(self, each.name), types[each.name], each.metadata, self.executor)
        if self.cuda_graphs and self.device != "cuda":
            raise SpecError(f"cuda_graphs: found device {self.device!r}; set device 'cuda', or leave cuda_graphs out")


def _check(name: str, found: Any, hint: Any, option: Any, executor: str) -> None:
    """Raise :class:`SpecError` for a value that an option cannot have."""
    if found is None and type(None) in get_args(hint):
        return
    choices = [each for each in get_args(hint) if isinstance(each, str)]
    if choices and found not in choices:
        raise SpecError(f"{name}: found {found!r}; allowed: {', '.join(map(repr, choices))}")
    if option["ray"] and executor != "ray":
        raise SpecError(f"{name}: goes with the executor 'ray' only; leave one of them out")
    if option["least"] is not None and not (isinstance(found, int) and found >= option["least"]):
        raise SpecError(f"{name}: found {found}; expected a whole number from {option['least']} on")
    if option["above"] is not None and not found > option["above"]:
        raise SpecError(f"{name}: found {found}; expected a number of seconds above {option['above']}")
