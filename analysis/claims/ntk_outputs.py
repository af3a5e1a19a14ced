"""The kernel between several outputs tends to Θ_∞ ⊗ I_k."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_MEAN: Final = "over ‖Θ_∞‖_F, root mean square over blocks in each network of 3 outputs, then averaged"
BETWEEN: Final = Quantity(
    "output_blocks_between",
    final("output_blocks_between"),
    "kernel between unlike outputs",
    f"‖Θ_op‖_F, o ≠ p, {_MEAN}",
    "theory.md §7 ntk-outputs",
)
DIAGONAL: Final = Quantity(
    "output_blocks_diagonal",
    final("output_blocks_diagonal"),
    "kernel of each output against its limit",
    f"‖Θ_oo − Θ_∞‖_F, {_MEAN}",
    "theory.md §7 ntk-outputs",
)

CLAIM: Final = Claim(
    "ntk-outputs",
    "Θ_0 tends to Θ_∞ ⊗ I_k: its blocks between unlike outputs and the distance of those of equal outputs from Θ_∞ are "
    "m^−1/2.",
    (
        Evidence(
            "initial_kernel",
            tuple(
                Exponent(
                    each,
                    "sharp",
                    lambda s, _: s.case != "twin",
                    lambda *_: 0.5,
                    "Jacot et al. 2018, Thm 1; Xu 2021, eq 63; Valle Pérez 2019, Thm 1",
                )
                for each in (BETWEEN, DIAGONAL)
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="one read-out for all outputs",
            of="computation",
        ),
    ),
    source="Jacot et al. 2018, Thm 1; Xu 2021, eq 63; Valle Pérez 2019, Thm 1",
)
