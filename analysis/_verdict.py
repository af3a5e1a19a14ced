"""The rules by which a measured exponent decides a claim. A wrong verdict is worse than an open one.

The rules are about p of Q ~ m^−p in the limit: its 95 % interval [low, high] (`p_limit`), and the cautious one at 99 %
that allows for slower finite-size terms too (`p_cautious`); see :mod:`sweepengine.analysis._limit`. The exponent at the
widths measured decides nothing. The margin is 0.1.

===========  ===================================================================================================
kind         verdict
===========  ===================================================================================================
bound        Q = O(m^−e). **holds**: high ≥ e and low > e − 0.1. **violated**: the cautious interval lies below e.
sharp        Q ~ m^−e. **holds**: the interval contains e and lies inside e ± 0.1.
             **differs**: the cautious interval excludes e.
asymptote    Q approaches m^−e, known to be slow. **holds** as for sharp, otherwise **undecided**: a reading
             before the asymptote is no evidence against it.
===========  ===================================================================================================

Everything else is **undecided**: in particular without an interval (fewer than two seeds, or no fit), and where the
curve bends in a way that no finite-size term of the class describes.

What this guards, where the finite-size term is of the class (docs/statistics.md has the figures): a claim that is off
by 0.1 or more holds only if the interval misses the true exponent on one side, in 2–3 % of trials, whatever the width
of the interval; a true one is contradicted in about 1 %. A finite range of widths can always hide a finite-size term
that is larger at the smallest width, or dies out more slowly; no rule protects against it. In a table, a contradiction
needs the interval of `ScalingFit.simultaneous`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from sweepengine.analysis._constants import MARGIN
from sweepengine.analysis._format import exponent_text
from sweepengine.analysis._power import Needed, what_decides

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._power import Ends
    from sweepengine.analysis._scaling_fit import ScalingFit

Kind = Literal["bound", "sharp", "asymptote"]
Verdict = Literal["holds", "violated", "differs", "undecided", "none"]
"""``none`` is that of a remark, a number about which the notes state nothing."""

RULES: Final[tuple[tuple[str, str], ...]] = (
    (
        "bound",
        (
            "A theorem's upper bound on the rate, O(m^e). It holds if the 95 % interval of the exponent in the limit "
            "reaches down to e or lies below it, and lies below e + 0.1; it is violated only if the cautious interval "
            "(99 %, slower finite-size terms allowed) lies above e. Otherwise it is undecided."
        ),
    ),
    (
        "sharp",
        (
            "The exponent e expected for generic data. It holds if the 95 % interval of the exponent in the limit "
            "contains e and lies inside e ± 0.1; it differs only if the cautious interval (99 %, slower finite-size "
            "terms allowed) excludes e. Otherwise it is undecided."
        ),
    ),
    (
        "asymptote",
        (
            "An exponent that is approached slowly. It holds as a sharp one does; otherwise it is undecided, because a "
            "reading before the asymptote is no evidence against it."
        ),
    ),
)
"""The rules in words, in terms of the exponent of m; they are printed in every report."""


def apply_rules(kind: Kind, p: float, limit: Ends, cautious: Ends) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Apply the rules to intervals of any shape.

    Parameters
    ----------
    kind, p
        The claim, Q ~ m^−p.
    limit, cautious
        Ends (low, high) of both intervals, each (...); NaN decides nothing.

    Returns
    -------
    holds, contradicted
        (...), whether the claim holds, and whether it is violated or differs.
    """
    low, high = limit
    holds = (high >= p) & (low > p - MARGIN)
    contradicted = cautious[1] < p
    if kind == "bound":
        return holds, contradicted & ~holds
    holds = holds & (low <= p) & (high < p + MARGIN)
    contradicted = contradicted | (cautious[0] > p)
    return holds, contradicted & ~holds & (kind == "sharp")


def verdict_of(fit: ScalingFit, kind: Kind, p: float) -> Verdict:
    """The verdict of :func:`judge` without the reason, for which a power analysis takes longer than the verdict."""
    if not fit.p_limit.has_interval or not fit.explained:
        return "undecided"
    holds, contradicted = apply_rules(
        kind, p, *((np.array(e.low), np.array(e.high)) for e in (fit.p_limit, fit.p_cautious))
    )
    if holds:
        return "holds"
    if contradicted:
        return "violated" if kind == "bound" else "differs"
    return "undecided"


def judge(fit: ScalingFit, kind: Kind, p: float) -> tuple[Verdict, str]:
    """Judge one fit against one claim; the module's docstring states the rule.

    Parameters
    ----------
    fit
        The measured power law.
    kind
        What sort of claim it is.
    p
        Claimed exponent, Q ~ m^−p.

    Returns
    -------
    verdict, why
        `why` is empty unless the verdict is `undecided`; then it says what would decide.
    """
    verdict = verdict_of(fit, kind, p)
    return verdict, why_undecided(fit, kind, p)[0] if verdict == "undecided" else ""


def why_undecided(fit: ScalingFit, kind: Kind, p: float) -> tuple[str, int | None]:
    """The reason why a fit decides nothing, and how many more seeds would decide; None where no number is known."""
    if not fit.p_limit.has_interval:
        return fit.why_no_interval, None
    if not fit.explained:
        bends = (
            f"the curve bends at the widest {len(fit.limit_widths)} widths as no finite-size term does: "
            f"{fit.exponent_at_these_widths} at these widths is no limit; larger widths would decide"
        )
        return bends, None
    why = _where(fit, kind, p)
    if kind == "asymptote" and not fit.p_limit.contains(p):
        return why, None
    # What would decide, if the exponent is what it now seems.
    needed = what_decides(fit.curve, lambda limit, cautious: np.logical_or(*apply_rules(kind, p, limit, cautious)))
    return f"{why}; to decide: {needed_text(needed, fit.axis)}", needed.seeds


def _where(fit: ScalingFit, kind: Kind, p: float) -> str:
    """Where the interval of the limit lies, that it decides nothing."""
    limit, e = fit.p_limit, exponent_text(-p)
    there = f"the limit's interval {fit.exponent}"
    if kind == "asymptote" and not limit.contains(p):
        return f"pre-asymptotic: {there} excludes {e}, and a reading before the asymptote is no evidence against it"
    if limit.contains(p):
        return f"{there} contains {e}, but also exponents that are off by {MARGIN:g} or more"
    if kind == "bound" and limit.low > p:
        return f"{there} lies below {e}, but the bound is not excluded"
    return f"{there} excludes {e}, but a slow finite-size term or chance could explain it"


def needed_text(needed: Needed, axis: str) -> str:
    """Return `18 more seeds, or widths up to 8192`, or that neither is enough within reach."""
    ways = []
    if needed.seeds is not None:
        ways.append(f"{needed.seeds} more seed{'s' if needed.seeds != 1 else ''}")
    if needed.largest is not None:
        ways.append(f"{'widths' if axis == 'width' else f'values of {axis}'} up to {needed.largest:g}")
    return ", or ".join(ways) or "neither 16 times the seeds nor a 64-fold largest width alone; take both"
