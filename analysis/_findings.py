"""The form of the findings: what the analysis measures, shows and claims for one kind of sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweepengine.analysis._quantities import split_key, title_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweepengine.analysis._claim import Claim
    from sweepengine.analysis._expectations import Expectation
    from sweepengine.analysis._quantities import Quantity


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over time.

    Attributes
    ----------
    variable, title, text
        The variable, its title, and the start of the caption.
    limit
        The variable of its limit, if any.
    repeats
        A variable that may have the same values; where it does, this one has no figure.
    largest_over
        A further dim of the variable, whose largest value is drawn.
    """

    variable: str
    title: str
    text: str
    limit: str = ""
    repeats: str = ""
    largest_over: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that differs between kinds of sweeps in a summary or a report.

    Attributes
    ----------
    name
        Name by which claims refer to the findings (`Evidence.of`).
    quantities
        Quantities to which every run is reduced; NaN where a sweep has not recorded the variables that they read.
    headlines
        Names of the quantities whose exponents the summary shows for every group.
    level
        Name of the quantity whose mean at the largest width the summary shows; empty where there is none.
    curves
        Figures over time, drawn where the variable was recorded.
    width_title, width_text
        Title and first sentence of the figure against width.
    further_figures
        References "module:function" to functions that draw further figures, each from a `FigureSource` to a tuple of
        `Figure`. They are texts because the functions lie in modules that import this one.
    coordinates
        Coordinates that every sweep of the kind has, beside those of all kinds.
    axes
        Run coordinates that divide the runs into groups, beside those of all kinds.
    claims
        The claims about the kind.
    claimed
        Quantities of the claims' expectations, reduced where a sweep has recorded the variables that they read.

    Raises
    ------
    ValueError
        Two quantities have the same name.
    """

    name: str
    quantities: tuple[Quantity, ...]
    headlines: tuple[str, ...]
    level: str
    curves: tuple[Curve, ...]
    width_title: str
    width_text: str
    further_figures: tuple[str, ...]
    coordinates: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    claimed: tuple[Quantity, ...] = ()
    _by_name: Mapping[str, Quantity] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the quantities by name, and refuse two of the same name."""
        every = (*self.quantities, *self.claimed)
        by_name = {quantity.name: quantity for quantity in every}
        if len(by_name) < len(every):
            names = [quantity.name for quantity in every]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.name}: two quantities are called {', '.join(twice)}; give one of each another name"
            )
        object.__setattr__(self, "_by_name", by_name)

    @property
    def expected(self) -> tuple[tuple[str, Expectation], ...]:
        """Pairs of the id of a claim and one of its expectations that hold in every sweep where they apply."""
        pairs = (
            (claim.id, expectation)
            for claim in self.claims
            for evidence in claim.evidence
            if evidence.of == self.name and evidence.anywhere
            for expectation in evidence.expected
        )
        return tuple(dict.fromkeys(pairs))  # several jobs may measure one expectation

    def quantity(self, key: str) -> Quantity:
        """Return the quantity of a key such as `kernel_drift` or `movement_op/W0`."""
        return self._by_name[split_key(key)[0]]

    def title_of(self, key: str) -> str:
        """Return the title of a key, with the place along the quantity's dim if the key has one."""
        return title_of(self.quantity(key), split_key(key)[1])
