"""Schedules of records: the steps at which observables are stored, known before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.spec._shared import EveryRecords

if TYPE_CHECKING:
    from sweepengine.spec._shared import LogRecords


MOST_STEPS = 10_000_000
MOST_RECORDS = 1_000_000
"""Largest number of records of one run: a record stores one number of every scalar, and the run lists its step."""


def log_schedule(n_steps: int, count: int, section: str = "training") -> tuple[int, ...]:
    """Distinct whole steps from 0 to ``n_steps``, evenly spaced in log time after the first.

    Early steps that would coincide after rounding follow one by one. The remaining steps then have a new common ratio,
    so that the spacing is as nearly geometric as whole steps allow.

    Parameters
    ----------
    n_steps : int
        Number of gradient steps, at least 1.
    count : int
        Number of records, t = 0 and the end included; 2 … ``n_steps + 1``.
    section : str
        Section of the spec that holds the schedule, for the message.

    Returns
    -------
    tuple of int, length ``count``
        Strictly increasing; the first is 0, the last ``n_steps``.

    Raises
    ------
    SpecError
        There are fewer steps than ``count`` needs; the message names the largest count that fits.
    """
    if count > MOST_RECORDS:
        raise SpecError(
            f"{section}.records.count: found {count}, more than the {MOST_RECORDS} records that a run may have; "
            "use fewer"
        )
    if count > n_steps + 1:
        raise SpecError(
            f"{section}.records.count: found {count}, but {n_steps} steps hold at most {n_steps + 1} distinct records "
            f"(t = 0 included); use count: {n_steps + 1} or fewer, or more steps (a longer time, a smaller step_size)"
        )
    steps = [0]
    while len(steps) < count:
        remaining = count - len(steps)
        last = max(steps[-1], 1)
        # The first of `remaining` points of a geometric sequence from `last` that ends at n_steps.
        step = n_steps if remaining == 1 else round(last * (n_steps / last) ** (1 / remaining))
        if steps[-1] == 0:
            step = 1 if remaining > 1 else n_steps
        steps.append(min(max(step, steps[-1] + 1), n_steps - remaining + 1))
    return tuple(steps)


def every_schedule(n_steps: int, k: int, section: str = "training") -> tuple[int, ...]:
    """Every ``k``-th step from 0, and the last step ``n_steps`` in any case.

    Raises
    ------
    SpecError
        ``k`` exceeds ``n_steps``, or is so small that there are too many records.
    """
    if k > n_steps:
        raise SpecError(
            f"{section}.records.k: found {k}, but there are only {n_steps} steps; use k: {n_steps} or fewer, or more "
            "steps (a longer time, a smaller step_size)"
        )
    if n_steps // k > MOST_RECORDS:
        raise SpecError(
            f"{section}.records.k: found {k}, which gives {n_steps // k:.3g} records of {n_steps:.3g} steps, more than "
            f"the {MOST_RECORDS} that a run may have; use k: {-(-n_steps // MOST_RECORDS)} or more, or "
            "{spacing: log, count: …}"
        )
    steps = list(range(0, n_steps, k))
    return (*steps, n_steps)


def record_schedule(records: LogRecords | EveryRecords, n_steps: int, section: str) -> tuple[int, ...]:
    """The steps at which a spec asks for records; messages name the ``section``. Raises :class:`SpecError`."""
    if isinstance(records, EveryRecords):
        return every_schedule(n_steps, records.k, section)
    return log_schedule(n_steps, records.count, section)


def snapshot_schedule(n_records: int, count: int) -> tuple[int, ...]:
    """Indices of ``count`` records, the first and the last among them, as evenly as whole indices allow."""
    return tuple(round(k * (n_records - 1) / (count - 1)) for k in range(count))


def whole_steps(time: float, step_size: float, field: str, otherwise: str = "") -> int:
    """Number of steps of size ``step_size`` that fill ``time``.

    Parameters
    ----------
    time, step_size : float
    field : str
        Path of the step size in the spec, for the message.
    otherwise : str
        A further remedy for the message to offer.

    Raises
    ------
    SpecError
        ``time`` is not a whole number of steps; the message names the nearest sizes that are.
    """
    ratio = time / step_size
    n_steps = round(ratio)
    if n_steps < 1 or abs(ratio - n_steps) > 1e-9 * ratio:
        options = sorted({time / max(1, count) for count in (int(ratio), int(ratio) + 1)})
        raise SpecError(
            f"{field}: found {step_size:g}, but time / step_size = {ratio:.6g} is not whole; use "
            f"{' or '.join(f'{option:.9g}' for option in options)}, another time{', ' + otherwise if otherwise else ''}"
        )
    return n_steps


def refuse_many_steps(steps: int, time: float, section: str) -> None:
    """Raise :class:`SpecError` for a run of more steps than :data:`MOST_STEPS`."""
    if steps > MOST_STEPS:
        raise SpecError(
            f"{section}.time: {time:g} takes {steps} steps, more than the {MOST_STEPS} that a run may have; "
            "shorten the time or give a larger step_size"
        )
