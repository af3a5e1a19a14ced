"""The claims of theory.md §4 that this path measures, and the table that judges them.

Every claim is stated for ½ ≤ γ ≤ 1: below ½ the uncentred output grows like m^(½−γ) and the exponents would depend on
whether it is centred, which a dataset does not say. α is fixed within a group, so it changes no exponent of the limit;
where the widths are too small to see that, no claim is contradicted (:meth:`Setting.before_its_limit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._format import exponent_text
from sweepengine.analysis._quantities import LAYER_SEPARATOR
from sweepengine.analysis._setting import EPS, Setting
from sweepengine.analysis._verdict import Kind, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sweepengine.analysis._fit import ScalingFit
    from sweepengine.analysis._jackknife import Estimate


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement about one quantity: where it applies and which p (Q ~ m^−p) it expects there.

    `note` is shown beside the expectation (a trial's reading); `observable` is a quantity's name.
    """

    id: str
    source: str
    observable: str
    kind: Kind
    applies: Callable[[Setting], bool]
    p: Callable[[Setting], float]
    note: str = ""


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim("ntk-const", "S0, S3 Thm 2, S1 eq 81", "kernel_drift", "bound", lambda s: s.at(0.5), lambda _: 0.5),
    Claim(
        "ntk-const",
        "theory.md §4 (S0, S3 Thm 2)",
        "kernel_drift",
        "sharp",
        lambda s: s.at(0.5) and s.smooth,
        lambda _: 1.0,
    ),
    Claim(
        "ntk-const",
        "theory.md §4 (S0, S3 Thm 2)",
        "kernel_drift",
        "asymptote",
        lambda s: s.at(0.5) and s.depth == 1 and s.activation == "relu",
        lambda _: 0.75,
        note="trial read −0.64 to −0.71",
    ),
    Claim(
        "gamma",
        "theory.md §1, §4",
        "kernel_drift",
        "sharp",
        lambda s: 0.5 + EPS < s.gamma < 1 - EPS and s.depth == 1 and s.smooth,
        lambda s: 2 * (1 - s.gamma),
    ),
    Claim("mf-move", "S4 §4", "kernel_drift", "sharp", lambda s: s.at(1.0), lambda _: 0.0),
    Claim(
        "lazy",
        "S2 §1.8, S1 eq 81, S3 lemma 1, S4 thm 8",
        "movement_total",
        "sharp",
        lambda s: 0.5 - EPS < s.gamma < 1 + EPS,
        lambda s: (1 if s.depth == 1 else 1.5) - s.gamma,
    ),
    Claim(
        "mf-limit", "S4 §4", "chaos_outputs", "sharp", lambda s: s.has_outputs, lambda _: 0.5, note="trial read −0.51"
    ),
    Claim("mf-limit", "S4 §4", "chaos_particles", "sharp", lambda s: s.couples, lambda _: 0.5, note="trial read −0.49"),
    Claim(
        "lazy",
        "S2 §1.8, S3 lemma 1",
        "movement_op",
        "sharp",
        lambda s: 0.5 - EPS < s.gamma < 1 + EPS,
        lambda s: 1 - s.gamma,
    ),
)

_SIGN: Final[dict[Kind, str]] = {"bound": "≤ ", "sharp": "", "asymptote": "→ "}


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One row of the claims table.

    Attributes
    ----------
    id, seed
        The claim's row in theory.md §4 and the seed (S0 … S4) or section that it comes from.
    group, observable, kind
        The runs it was measured on, the quantity's key, and what sort of claim it is.
    expected
        Claimed exponent of m.
    expected_text
        The same as text: `≤ −1/2` a bound, `−1` sharp, `→ −3/4` an asymptote.
    note
        What else the reader should know about the expectation.
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
    group: str, setting: Setting, fits: Mapping[str, ScalingFit], failures: Mapping[str, str]
) -> tuple[ClaimResult, ...]:
    """Judge every claim that applies to one group of runs.

    Parameters
    ----------
    group, setting
        The group's label, and what the claims need to know of it.
    fits, failures
        By key (`movement_op/W0`): the fits, and for the others why there is none.

    Returns
    -------
    tuple of ClaimResult
        In the order of theory.md; a claim on a quantity of layers gives one row a layer.
    """
    rows = []
    for claim in CLAIMS:
        if setting.depth < 1:  # a model of the user's own, of which nothing is claimed
            continue
        if not (setting.balanced and claim.applies(setting)):
            continue
        if claim.observable == "kernel_drift" and not setting.moves_kernel:
            continue
        p = claim.p(setting)
        for key in [*fits, *failures]:
            name, _, layer = key.partition(LAYER_SEPARATOR)
            if name != claim.observable or not setting.moves(layer):
                continue
            fit = fits.get(key)
            verdict, why = _judged(setting, fit, claim.kind, p) if fit else ("undecided", failures[key])
            rows.append(
                ClaimResult(
                    id=claim.id,
                    seed=claim.source,
                    group=group,
                    observable=key,
                    kind=claim.kind,
                    expected=0.0 - p,  # never −0.0
                    expected_text=_SIGN[claim.kind] + exponent_text(0.0 - p),
                    note=claim.note,
                    measured=fit.exponent if fit else None,
                    verdict=verdict,
                    why=why,
                )
            )
    return tuple(rows)
