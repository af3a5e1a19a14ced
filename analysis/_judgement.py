"""The table of claims: the verdict of a group of runs on each claim that applies to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._claim import BySweep
from sweepengine.analysis._format import exponent_text
from sweepengine.analysis._quantities import split_key
from sweepengine.analysis._verdict import Kind, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sweepengine.analysis._claim import Claim
    from sweepengine.analysis._fit import ScalingFit
    from sweepengine.analysis._jackknife import Estimate
    from sweepengine.analysis._setting import Setting

_SIGN: Final[dict[Kind, str]] = {"bound": "≤ ", "sharp": "", "asymptote": "→ "}


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One row of the claims table.

    Attributes
    ----------
    id, seed
        Id of the claim in theory.md §4, and the seed (S0 … S4) or section that states it.
    group, observable, kind
        Label of the group of runs, key of the quantity, and sort of the claim.
    expected
        Claimed exponent of m.
    expected_text
        The claimed exponent as text: `≤ −1/2` for a bound, `−1` for a sharp claim, `→ −3/4` for an asymptote.
    note
        A remark on the expectation.
    measured
        Measured exponent of m with its 95 % interval; None if there is no fit.
    verdict, why
        `holds`, `violated`, `differs` or `undecided`, and the reason if undecided.
    """

    id: str
    seed: str
    group: str
    observable: str
    kind: Kind
    expected: float
    expected_text: str
    note: str
    measured: Estimate | None
    verdict: Verdict
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain numbers and strings."""
        return {
            "id": self.id,
            "seed": self.seed,
            "group": self.group,
            "observable": self.observable,
            "kind": self.kind,
            "expected_exponent_of_m": self.expected,
            "expected": self.expected_text,
            "note": self.note,
            "measured_exponent_of_m": self.measured.to_dict() if self.measured else None,
            "verdict": self.verdict,
            "why": self.why,
        }


def _judged(setting: Setting, fit: ScalingFit, kind: Kind, p: float) -> tuple[Verdict, str]:
    if not setting.follows_the_flow:
        return "undecided", f"the claim is about gradient descent or flow; these runs were trained by {setting.method}"
    verdict, why = judge(fit, kind, p)
    width = fit.kept[0]
    if verdict in ("differs", "violated") and setting.before_its_limit(width):
        side = "small" if setting.alpha < 1 else "large"
        return "undecided", (
            f"α = {setting.alpha:g} is so {side} that a reading from width {width} on is not yet one of the limit; "
            "take wider networks, or α nearer to 1"
        )
    return verdict, why


def judge_claims(
    claims: Iterable[Claim],
    group: str,
    setting: Setting,
    fits: Mapping[str, ScalingFit],
    failures: Mapping[str, str],
) -> tuple[ClaimResult, ...]:
    """Judge every claim that applies to one group of runs.

    Parameters
    ----------
    claims
        Claims about the kind of sweep. Claims that a computation measures are skipped, since they say nothing of runs.
    group, setting
        Label and setting of the group.
    fits, failures
        Key (`movement_op/W0`) → fit; key → the reason why there is no fit.

    Returns
    -------
    tuple of ClaimResult
        In the order of the claims; an expectation on a quantity with a dim gives one row for each place along it.
    """
    if setting.depth < 1:  # a model of the user's own, about which there are no claims
        return ()
    expected = [
        (claim.id, exponent)
        for claim in claims
        if isinstance(claim.evidence, BySweep)
        for exponent in claim.evidence.exponents
    ]
    rows = []
    for name, exponent in expected:
        for key in [*fits, *failures]:
            observable, place = split_key(key)
            if observable != exponent.quantity.name or not exponent.applies(setting, place):
                continue
            p = exponent.p(setting, place)
            fit = fits.get(key)
            verdict, why = _judged(setting, fit, exponent.kind, p) if fit else ("undecided", failures[key])
            rows.append(
                ClaimResult(
                    id=name,
                    seed=exponent.source,
                    group=group,
                    observable=key,
                    kind=exponent.kind,
                    expected=0.0 - p,  # never −0.0
                    expected_text=_SIGN[exponent.kind] + exponent_text(0.0 - p),
                    note=exponent.note,
                    measured=fit.exponent if fit else None,
                    verdict=verdict,
                    why=why,
                )
            )
    return tuple(rows)
