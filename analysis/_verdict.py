"""The rules by which a measured exponent decides a claim. A wrong verdict is worse than an open one.

The rules are about p of Q ~ m^−p, its 95 % interval [low, high], and `p_limit`, the exponent extrapolated to infinite
width as if a finite-size term m^−1/4 were left. The interval of p_limit is several times wider than that of p; see
:mod:`sweepengine.analysis._fit`.

===========  ===================================================================================================
kind         verdict
===========  ===================================================================================================
bound        Q = O(m^−e). **holds**: low ≥ e (and, if the curve bends, the low end of p_limit too).
             **violated**: high < e, and the same for p_limit, and no bend. Otherwise **undecided**.
sharp        Q ~ m^−e. **holds**: the interval contains e, is shorter than ± 1/4, and the curve does not bend.
             **differs**: the intervals of p and of p_limit both lie on the same side of e, and no bend.
             Otherwise **undecided**.
asymptote    Q approaches m^−e, known to be slow. **holds** as for sharp, otherwise **undecided**: a reading
             before the asymptote is no evidence against it.
===========  ===================================================================================================

Without an interval (fewer than two seeds, or no fit) every verdict is **undecided**.

A finite range of widths can always hide a finite-size term that is larger than the leading one, or that dies out more
slowly than m^−1/4; no rule protects against such a term. Each single interval has 95 % coverage: of twenty true sharp
claims, one may lie just outside its interval. Because of p_limit such a claim is undecided much more often than
differing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from sweepengine.analysis._constants import RESOLUTION, ROUNDING
from sweepengine.analysis._format import estimate_text, exponent_text

if TYPE_CHECKING:
    from sweepengine.analysis._fit import ScalingFit

Kind = Literal["bound", "sharp", "asymptote"]
Verdict = Literal["holds", "violated", "differs", "undecided", "none"]
"""``none`` is that of a remark, a number about which the notes state nothing."""

RULES: Final[tuple[tuple[str, str], ...]] = (
    (
        "bound",
        (
            "A theorem's upper bound on the rate, O(m^e). It holds if the whole 95 % interval of the measured exponent "
            "lies at or below e; it is violated only if the whole interval lies above e, the interval of the exponent "
            "extrapolated to infinite width does too, and the curve does not bend. Otherwise it is undecided."
        ),
    ),
    (
        "sharp",
        (
            "The exponent e expected for generic data. It holds if the 95 % interval contains e, is shorter than ± 1/4 "
            "and the curve does not bend; it differs only if the interval and that of the extrapolated exponent both "
            "lie on the same side of e and the curve does not bend. Otherwise it is undecided."
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
        `why` is empty unless the verdict is `undecided`.
    """
    if not fit.p.has_interval:
        return "undecided", fit.why_no_interval
    if abs(fit.p.value - p) < ROUNDING:
        p = fit.p.value
    if kind == "bound":
        return _judge_bound(fit, p)
    if kind == "asymptote" and not fit.bends and not fit.p.contains(p):
        return "undecided", (
            f"pre-asymptotic: the claim is about a limit that is approached slowly, and a reading at widths "
            f"{fit.kept[0]} to {fit.kept[-1]} is no evidence against it ({_limit(fit)})"
        )
    return _judge_sharp(fit, p)


def _judge_bound(fit: ScalingFit, p: float) -> tuple[Verdict, str]:
    if fit.p.low >= p:
        if fit.bends and fit.p_limit.low < p:
            return "undecided", f"the curve bends and may cross the bound at larger widths ({_limit(fit)})"
        return "holds", ""
    if fit.p.high >= p:
        return "undecided", f"the interval contains the bound's exponent {exponent_text(-p)}"
    if fit.bends:
        return "undecided", f"the curve still bends at the widest {len(fit.kept)} widths: {_measured(fit)} is no limit"
    if fit.p_limit.high >= p:
        return "undecided", f"a slow finite-size term could still bring it to the bound ({_limit(fit)})"
    return "violated", ""


def _judge_sharp(fit: ScalingFit, p: float) -> tuple[Verdict, str]:
    if fit.bends:
        return "undecided", f"the curve still bends at the widest {len(fit.kept)} widths: {_measured(fit)} is no limit"
    if fit.p.contains(p):
        if fit.p.half_width >= RESOLUTION:
            return (
                "undecided",
                f"the interval is ± {fit.p.half_width:.2g}: too wide to tell from a neighbouring exponent",
            )
        return "holds", ""
    if (fit.p.low > p and fit.p_limit.low > p) or (fit.p.high < p and fit.p_limit.high < p):
        return "differs", ""
    return "undecided", f"outside the interval, but a slow finite-size term could explain it ({_limit(fit)})"


def _measured(fit: ScalingFit) -> str:
    return estimate_text(fit.exponent)


def _limit(fit: ScalingFit) -> str:
    return f"extrapolated exponent {estimate_text(fit.p_limit.negated())}"
