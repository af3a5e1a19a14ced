"""The table of claims: the verdict of a group of runs on each expectation that applies to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._format import significant_text
from sweepengine.analysis._quantities import split_key, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sweepengine.analysis._expectations import Expectation, Judgement, Sample
    from sweepengine.analysis._jackknife import Estimate
    from sweepengine.analysis._setting import Setting
    from sweepengine.analysis._verdict import Verdict

AGAINST: Final = frozenset({"violated", "differs"})
"""The verdicts that refute a row."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One row of the claims table.

    Attributes
    ----------
    id, source
        Id of the claim (theory.md §7), and where the expectation stands (:mod:`sweepengine.sources`).
    group, observable, title
        Label of the group of runs; key of the quantity, and its title.
    kind
        Rule by which the row is judged: `bound`, `sharp`, `asymptote`, `equality`, `inequality`, `frequency` or
        `remark`.
    measures
        What the measured number is: the exponent of an axis, a mean, the largest of all runs, a share.
    axis
        The run coordinate along which the runs of the group differ.
    expected
        Expected exponent, value, limit or share; NaN of a remark.
    expected_text
        The expectation as text: `≤ −1/2` for a bound, `−1` for a sharp claim, `→ −3/4` for an asymptote.
    note
        A remark on the expectation.
    measured
        Measured number with its 95 % interval; None if there is none.
    verdict, why
        `holds`, `violated`, `differs` or `undecided`, and the reason if undecided; `none` of a remark.
    more_seeds
        How many more seeds would decide an undecided row; None where no number is known.
    allowed
        The smallest and the largest value that the expectation allows; infinite where there is no such end.
    together
        The measured number with the interval that covers together with those of the other rows of the table; None where
        there is no interval.
    expectation, setting, sample
        What was judged: the expectation, the setting of the group, and the values with their fit.
    """

    id: str
    source: str
    group: str
    observable: str
    title: str
    kind: str
    measures: str
    axis: str
    expected: float
    expected_text: str
    note: str
    measured: Estimate | None
    verdict: Verdict
    why: str
    allowed: tuple[float, float]
    expectation: Expectation = field(repr=False, compare=False)
    setting: Setting = field(repr=False, compare=False)
    sample: Sample = field(repr=False, compare=False)
    together: Estimate | None = None
    more_seeds: int | None = None

    @property
    def is_exponent(self) -> bool:
        """Whether the row is about an exponent."""
        return self.kind in {"bound", "sharp", "asymptote"}

    def states_exponent(self, group: str, key: str, axis: str) -> bool:
        """Whether the row states the exponent of a quantity in a group of runs along an axis, and no bound alone."""
        return (self.group, self.observable, self.axis) == (group, key, axis) and self.kind in {"sharp", "asymptote"}

    @property
    def measured_text(self) -> str:
        """The measured number with its interval; the words `no fit` or `none` where there is no number."""
        if self.measured is None:
            return "no fit" if self.is_exponent else "none"
        return self._text(self.measured)

    @property
    def together_text(self) -> str:
        """The interval that covers together with those of the other rows; a dash where there is none."""
        text = self._text(self.together) if self.together is not None else ""
        return text[text.index("[") :] if "[" in text else "–"

    def _text(self, measured: Estimate) -> str:
        return str(measured) if measured.has_interval or self.is_exponent else significant_text(measured.value)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain numbers and strings."""
        return {
            "id": self.id,
            "source": self.source,
            "group": self.group,
            "observable": self.observable,
            "title": self.title,
            "kind": self.kind,
            "measures": self.measures,
            "axis": self.axis,
            "expected_value": self.expected,
            "expected": self.expected_text,
            "note": self.note,
            "measured": self.measured.to_dict() if self.measured else None,
            "together": self.together.to_dict() if self.together else None,
            "verdict": self.verdict,
            "why": self.why,
            "more_seeds": self.more_seeds,
        }


def _guarded(setting: Setting, sample: Sample, expectation: Expectation, judgement: Judgement) -> tuple[Verdict, str]:
    """The verdict, where the runs of the group are such runs as the claim is about."""
    if not setting.follows_the_flow:
        return "undecided", f"the claim is about gradient descent or flow; these runs were trained by {setting.method}"
    against = judgement.verdict in AGAINST and sample.fit is not None and expectation.axis == "width"
    if against and sample.fit is not None and setting.before_its_limit(sample.fit.kept[0]):
        side = "small" if setting.alpha < 1 else "large"
        return "undecided", (
            f"α = {setting.alpha:g} is so {side} that a reading from width {sample.fit.kept[0]} on is not yet one of "
            "the limit; take wider networks, or α nearer to 1"
        )
    return judgement.verdict, judgement.why


def judge_group(
    expected: Iterable[tuple[str, Expectation]], group: str, setting: Setting, samples: Mapping[str, Sample]
) -> tuple[ClaimResult, ...]:
    """Judge every expectation that applies to one group of runs.

    Parameters
    ----------
    expected
        Pairs of the id of a claim and one of its expectations, all of one axis.
    group, setting
        Label and setting of the group.
    samples
        Key (`movement_op/W0`) → values of the quantity in the group, with their fit.

    Returns
    -------
    tuple of ClaimResult
        In the order of the expectations; one of a quantity with a dim gives one row for each place along it.
    """
    if setting.depth < 1:  # a model of the user's own, about which there are no claims
        return ()
    rows = []
    for name, expectation in expected:
        for key, sample in samples.items():
            observable, place = split_key(key)
            if observable != expectation.quantity.name or not expectation.applies(setting, place):
                continue
            judgement = expectation.judge(sample, setting, place)
            verdict, why = _guarded(setting, sample, expectation, judgement)
            rows.append(
                ClaimResult(
                    id=name,
                    source=expectation.source,
                    group=group,
                    observable=key,
                    title=title_of(expectation.quantity, place),
                    kind=expectation.kind,
                    measures=expectation.measures,
                    axis=expectation.axis,
                    expected=judgement.expected,
                    expected_text=judgement.expected_text,
                    note=expectation.note,
                    measured=judgement.measured,
                    verdict=verdict,
                    why=why,
                    allowed=expectation.allowed(setting, place),
                    expectation=expectation,
                    setting=setting,
                    sample=sample,
                    more_seeds=judgement.more_seeds if (verdict, why) == (judgement.verdict, judgement.why) else None,
                )
            )
    return tuple(rows)


def judged_together(rows: Sequence[ClaimResult]) -> tuple[ClaimResult, ...]:
    """Return the rows of one table with the intervals that cover together (Šidák), by which alone a row is refuted.

    A table of forty true claims would refute two by single 95 % intervals. A row that only its single interval refutes
    becomes `undecided`. Rows without an interval stay as they are.
    """
    count = sum(row.measured is not None and row.measured.has_interval for row in rows)
    return tuple(_together(row, count) for row in rows)


def _together(row: ClaimResult, count: int) -> ClaimResult:
    if row.measured is None or not row.measured.has_interval:
        return row
    wide = row.expectation.judge(row.sample, row.setting, split_key(row.observable)[1], count)
    row = replace(row, together=wide.measured)
    if row.verdict not in AGAINST or wide.verdict in AGAINST:
        return row
    why = f"refuted by its own interval, but not by the one that it needs in a table of {count} rows"
    return replace(row, verdict="undecided", why=why)
