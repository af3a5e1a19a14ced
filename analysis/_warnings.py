"""What a reader of the numbers must know beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.analysis._findings import Findings
    from sweepengine.analysis._results import GroupSummary


def collect_warnings(
    groups: Sequence[GroupSummary], first_divergence: Mapping[str, int], kind: Findings
) -> tuple[str, ...]:
    """Say what was left out and what limits the fits, one sentence each.

    Parameters
    ----------
    groups
        The groups' summaries.
    first_divergence
        By label, the earliest step at which a run of that group diverged.
    kind
        Whose headlines are looked at.

    Returns
    -------
    tuple of str
        Diverged, failed and unfinished runs by count; seeds and widths left out; what limits each headline fit.
    """
    found: list[str] = []
    for group in groups:
        found += _runs(group, first_divergence.get(group.label))
    for group in groups:
        found += _fits(group, kind)
    return tuple(found)


def _runs(group: GroupSummary, step: int | None) -> list[str]:
    counts, total = group.counts, sum(group.counts.values())
    found = []
    if counts["diverged"]:
        first = f" (the first at step {step})" if step is not None else ""
        found.append(
            f"{group.label}: diverged, {counts['diverged']} of {total} runs{first}. Excluded, and their seeds from the "
            "fits; the exponents are those of the seeds that stayed. A smaller step_size may help."
        )
    if counts["failed"]:
        found.append(
            f"{group.label}: failed, {counts['failed']} of {total} runs. Excluded, and their seeds from the fits; "
            "the same `run` command again retries them."
        )
    open_runs = counts["pending"] + counts["running"]
    if open_runs:
        found.append(f"{group.label}: not finished, {open_runs} of {total} runs; the numbers will change.")
    return found


def _fits(group: GroupSummary, kind: Findings) -> list[str]:
    found = []
    reasons: dict[str, list[str]] = {}
    for name in kind.headlines:
        if name in group.failures:
            reasons.setdefault(group.failures[name], []).append(kind.quantity(name).title)
    found += [f"{group.label}, {' and '.join(titles)}: no fit. {reason}" for reason, titles in reasons.items()]
    fits = {kind.quantity(name).title: group.fits[name] for name in kind.headlines if name in group.fits}
    if not fits:
        return found
    any_fit = next(iter(fits.values()))  # seeds and widths are those of the finished runs, the same in every fit
    reference = any(kind.quantity(name).against_widest for name in kind.headlines)
    if len(any_fit.seeds) < len(group.seeds):
        found.append(
            f"{group.label}: {len(any_fit.seeds)} of {len(group.seeds)} seeds are done at every fitted width; "
            "the fits use these alone."
        )
    if len(any_fit.widths) < len(group.widths) - reference:
        found.append(
            f"{group.label}: {len(any_fit.widths)} of {len(group.widths)} widths have finished runs; "
            "the fits use these alone."
        )
    for reason in dict.fromkeys(fit.why_no_interval for fit in fits.values() if fit.why_no_interval):
        found.append(f"{group.label}: {reason}.")
    for title, fit in fits.items():
        if fit.dropped:
            found.append(
                f"{group.label}, {title}: the curve bends at small widths; the fit leaves out m = "
                f"{', '.join(map(str, fit.dropped))}."
            )
        if fit.bends:
            found.append(
                f"{group.label}, {title}: the curve still bends at m = {fit.kept[0]} to {fit.kept[-1]}; "
                "its exponent is no limit."
            )
    return found
