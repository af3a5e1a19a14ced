"""Record schedules: the training steps at which observables are stored, known before anything runs."""

from __future__ import annotations

from sweepengine.errors import SpecError


def log_schedule(n_steps: int, count: int) -> tuple[int, ...]:
    """Distinct whole steps from 0 to ``n_steps``, spaced evenly in log time after the first.

    Early steps that would coincide after rounding are taken one by one; the ratio of the rest is then evened out
    again, so that the spacing is as nearly geometric as whole steps allow.

    Parameters
    ----------
    n_steps : int
        Number of gradient steps, at least 1.
    count : int
        Number of records, t = 0 and the end included; 2 … ``n_steps + 1``.

    Returns
    -------
    tuple of int, length ``count``
        Strictly increasing; the first is 0, the last ``n_steps``.

    Raises
    ------
    SpecError
        ``count`` does not fit; the message names the largest that does.
    """
    if count > n_steps + 1:
        raise SpecError(
            f"training.records.count: found {count}, but {n_steps} steps hold at most {n_steps + 1} distinct records "
            f"(t = 0 included); use count: {n_steps + 1} or fewer, or {{spacing: every, k: 1}}"
        )
    steps = [0]
    while len(steps) < count:
        remaining = count - len(steps)
        last = max(steps[-1], 1)
        # The next of `remaining` points of a geometric sequence that ends at n_steps.
        step = n_steps if remaining == 1 else round(last * (n_steps / last) ** (1 / remaining))
        if steps[-1] == 0:
            step = 1 if remaining > 1 else n_steps
        steps.append(min(max(step, steps[-1] + 1), n_steps - remaining + 1))
    return tuple(steps)


def every_schedule(n_steps: int, k: int) -> tuple[int, ...]:
    """Every ``k``-th step from 0, and the last step ``n_steps`` in any case.

    Raises
    ------
    SpecError
        ``k`` exceeds ``n_steps``.
    """
    if k > n_steps:
        raise SpecError(f"training.records.k: found {k}, but there are only {n_steps} steps; use k: {n_steps} or fewer")
    steps = list(range(0, n_steps, k))
    return (*steps, n_steps)
