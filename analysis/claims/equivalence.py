"""γ and α enter only through α m^−γ."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_DIFFERENCES: Final = tuple(
    Quantity(
        f"equivalence_{name}",
        final(f"equivalence_{name}"),
        f"difference of the {name} of equivalent runs",
        f"largest difference of the {name} over the largest entry, after 20 steps with (γ, α) and (γ', α m^(γ'−γ)), "
        "over 48 networks",
        "theory.md §1.5",
        fitted=False,
    )
    for name in ("outputs", "kernel", "parameters")
)

CLAIM: Final = Claim(
    "equivalence",
    "The runs with (γ, α) and with (γ', α m^(γ'−γ)) are the same to rounding.",
    (
        Evidence(
            "exactness",
            tuple(
                Inequality(each, lambda s, _: s.case == "claim", "≤", lambda *_: 1e-11, source="theory.md §1.5")
                for each in _DIFFERENCES
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="γ changed and α not",
            of="computation",
        ),
    ),
    source="theory.md §1.5",
)
