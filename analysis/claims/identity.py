"""The kernel is the layerwise sum of products of Gram matrices."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

LAYERWISE: Final = Quantity(
    "layerwise_identity",
    final("layerwise_identity"),
    "layerwise sum against automatic differentiation",
    "largest |Σ G ⊙ Φ − (m^(2γ−1)/α²) J Jᵀ| over the largest entry, over 144 networks after three steps",
    "theory.md §2.2; Li 2025, §2",
    fitted=False,
)

CLAIM: Final = Claim(
    "identity",
    "Θ = σ_a² Φ_L + Σ_l (σ_w² Φ_l + σ_b²) ⊙ G_{l+1} exactly, at any width and time.",
    (
        Evidence(
            "exactness",
            (Inequality(LAYERWISE, lambda s, _: s.case == "claim", "≤", lambda *_: 1e-12, source="Li 2025, §2"),),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="a layerwise sum without the terms σ_b² of the biases",
            of="computation",
        ),
    ),
    source="Li 2025, §2; theory.md §2.2",
)
