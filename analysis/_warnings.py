"""Warnings that a summary shows beside its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.analysis._findings import Findings
    from sweepengine.analysis._results import GroupSummary


def collect_warnings(
    groups: Sequence[GroupSummary], first_divergence: Mapping[str, int], kind: Findings
) -> tuple[str, ...]:
    """Return one sentence for everything that was left out and everything that limits a fit.

    Parameters
    ----------
    groups
        Summaries of the groups.
    first_divergence
        Group label → the earliest step at which a run of the group diverged.
    kind
        Findings of the kind of sweep; only its headline quantities are considered.

    Returns
    -------
    tuple of str
        Numbers of diverged, failed and unfinished runs; seeds and widths left out; the limits of each headline fit.
    """
    warnings: list[str] = []
    for group in groups:
        warnings += _runs(group, first_divergence.get(group.label))
    warnings += _without_fit(groups, kind)
    for group in groups:
        warnings += _fits(group, kind)
    return tuple(warnings)


def _runs(group: GroupSummary, step: int | None) -> list[str]:
    counts, total = group.counts, sum(group.counts.values())
    sentences = []
    if counts["diverged"]:
        first = f" (the first at step {step})" if step is not None else ""
        sentences.append(
            f"{group.label}: diverged, {counts['diverged']} of {total} runs{first}. Excluded, and their seeds from the "
            "fits; the exponents are those of the seeds that stayed. A smaller step_size may help."
        )
    if counts["failed"]:
        sentences.append(
            f"{group.label}: failed, {counts['failed']} of {total} runs. Excluded, and their seeds from the fits; "
            "the same `run` command again retries them."
        )
    open_runs = counts["pending"] + counts["running"]
    if open_runs:
        sentences.append(f"{group.label}: not finished, {open_runs} of {total} runs; the numbers will change.")
    return sentences


def _without_fit(groups: Sequence[GroupSummary], kind: Findings) -> list[str]:
    """One sentence for each reason, which may be that of several groups and quantities."""
    labels: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        for name in kind.headlines:
            if name in group.failures:
                labels.setdefault((group.failures[name], kind.quantity(name).title), []).append(group.label)
    titles: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (reason, title), whose in labels.items():
        titles.setdefault((reason, tuple(whose)), []).append(title)
    return [
        f"{'all groups' if 1 < len(whose) == len(groups) else '; '.join(whose)}, {' and '.join(of)}: no fit. {reason}"
        for (reason, whose), of in titles.items()
    ]


def _fits(group: GroupSummary, kind: Findings) -> list[str]:
    sentences: list[str] = []
    fits = {kind.quantity(name).title: group.fits[name] for name in kind.headlines if name in group.fits}
    if not fits:
        return sentences
    any_fit = next(iter(fits.values()))  # seeds and widths are those of the finished runs, the same in every fit
    reference = any(kind.quantity(name).against_widest for name in kind.headlines)
    if len(any_fit.seeds) < len(group.seeds):
        sentences.append(
            f"{group.label}: {len(any_fit.seeds)} of {len(group.seeds)} seeds are done at every fitted width; "
            "the fits use these alone."
        )
    if len(any_fit.widths) < len(group.widths) - reference:
        sentences.append(
            f"{group.label}: {len(any_fit.widths)} of {len(group.widths)} widths have finished runs; "
            "the fits use these alone."
        )
    reasons = dict.fromkeys(fit.why_no_interval for fit in fits.values() if fit.why_no_interval)
    sentences += [f"{group.label}: {reason}." for reason in reasons]
    for title, fit in fits.items():
        if fit.dropped:
            sentences.append(
                f"{group.label}, {title}: the curve bends at small widths; the line at these widths leaves out m = "
                f"{', '.join(map(str, fit.dropped))}."
            )
        if not fit.explained:
            sentences.append(
                f"{group.label}, {title}: the curve bends at m = {fit.limit_widths[0]} to {fit.limit_widths[-1]} as no "
                "finite-size term does; its exponent in the limit is unknown."
            )
    return sentences
