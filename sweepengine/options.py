"""Options of a run, in one table that the command line, Python and the tasks read.

No option changes a result beyond rounding. The module imports nothing but the errors, so that ``--help`` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from sweepengine.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

DeviceName = Literal["auto", "cpu", "cuda"]
ExecutorName = Literal["ray", "inline"]
Durability = Literal["rename", "fsync"]
OF_PRIVATE_CLUSTERS = ("executor", "address", "workers")
"""Options that a submitted sweep has not: it runs on the cluster that it is submitted to, with the CPUs that are
there."""


def _said(
    text: str, *, least: float | None = None, above: float | None = None, ray: bool = False, run_only: bool = False
) -> dict[str, Any]:
    """Metadata of an option: text of ``--help``, its least value, a bound it must exceed, whether it needs Ray.

    ``run_only`` says that it goes with ``run``, and with no other command that runs sweeps.
    """
    return {"help": text, "least": least, "above": above, "ray": ray, "run_only": run_only}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run. Each attribute is an option of :func:`sweepengine.run` and of ``sweepengine run``.

    Attributes
    ----------
    executor : {"ray", "inline"}
        Where tasks run: on Ray, or in this process. The numbers are the same to the bit.
    address : str or None
        Address of a running Ray cluster; None starts a private cluster and stops it at the end.
    workers : int or None
        CPUs of a private cluster, one for each task at work or for each shard of one; None takes every CPU.
    runs_per_turn : int or None
        Number of runs that are advanced together in batched products; None takes 1 on a CPU and 16 on a GPU. With 1,
        the fastest on a CPU, a run has the same bits in every pack; with more it has the same numbers to rounding.
    commit_seconds : float
        Longest time between two commits, in seconds: what a killed sweep loses at most.
    device : {"auto", "cpu", "cuda"}
        Where tasks compute; auto takes GPUs if there are any. Another device gives the same numbers to rounding.
    cuda_graphs : bool
        With device ``cuda``: record a step of networks once as a CUDA graph, and replay it between records if all steps
        are alike (gd, momentum on all points, heun, rk4; no models of one's own). The first replay is compared with the
        step itself. Never run on a GPU so far.
    take_over : bool
        Take the store from a driver that still holds it; that driver stops.
    retry_failed : bool
        Compute the runs alone that have failed before and not ended since; without it they are among all that is
        missing, and tried again too. Goes with ``run`` only.
    run_timeout : float or None
        With the executor ``ray``: seconds after which a run that has said nothing is stopped and recorded as failed.
    durability : {"rename", "fsync"}
        ``rename``: a commit survives any killed process. ``fsync``: it survives a power cut too, and takes longer.

    Raises
    ------
    SpecError
        An option has a value that is not allowed, or two options exclude each other.
    """

    executor: ExecutorName = field(default="ray", metadata=_said("ray, or inline: in this process, for debugging."))
    address: str | None = field(
        default=None, metadata=_said("A running Ray cluster; a private one is started where not given.", ray=True)
    )
    workers: int | None = field(
        default=None,
        metadata=_said(
            "CPUs of the private cluster, one for each task (or shard of one); every CPU where not given.",
            least=1,
            ray=True,
        ),
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
    retry_failed: bool = field(
        default=False,
        metadata=_said("Compute only the runs that failed before, and nothing else that is missing.", run_only=True),
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
        """Make options from a dict of name → value. Raises :class:`SpecError` for a name that is no option."""
        known = [option.name for option in fields(cls)]
        for name in options:
            if name not in known:
                raise SpecError(f"{name}: unknown option.{did_you_mean(name, known)} Options: {', '.join(known)}")
        return cls(**options)

    @classmethod
    def shared(cls, options: dict[str, Any], what: str) -> RunOptions:
        """:meth:`of` for what is not ``run``. Raises :class:`SpecError` for an option that goes with ``run`` only."""
        made = cls.of(options)
        for option in fields(cls):
            if option.metadata["run_only"] and getattr(made, option.name) != option.default:
                raise SpecError(f"{option.name}: goes with run only; {what} leaves it out")
        return made

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for option in fields(self):
            _check(option.name, getattr(self, option.name), types[option.name], option.metadata, self.executor)
        if self.cuda_graphs and self.device != "cuda":
            raise SpecError(f"cuda_graphs: found device {self.device!r}; set device 'cuda', or leave cuda_graphs out")


_TYPES: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    float: (
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value),
    ),
    str: ("text", lambda value: isinstance(value, str)),
}
"""Type of an option → what a message says is expected, and whether a value is that."""


def _check(name: str, value: Any, hint: Any, option: Any, executor: str) -> None:
    """Raise :class:`SpecError` for a value that an option cannot have."""
    if value is None and type(None) in get_args(hint):
        return
    choices = [choice for choice in get_args(hint) if isinstance(choice, str)]
    if choices:
        if value not in choices:
            raise SpecError(f"{name}: found {value!r}; allowed: {', '.join(map(repr, choices))}")
        return
    if option["ray"] and executor != "ray":
        raise SpecError(f"{name}: goes with the executor 'ray' only; leave one of them out")
    expected, fits = next(_TYPES[each] for each in (get_args(hint) or (hint,)) if each in _TYPES)
    least, above = option["least"], option["above"]
    expected += f" from {least} on" if least is not None else f" of seconds above {above}" if above is not None else ""
    if not fits(value) or (least is not None and value < least) or (above is not None and not value > above):
        raise SpecError(f"{name}: found {value!r}; expected {expected}")
