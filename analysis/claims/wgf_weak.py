"""The empirical measure of the particles obeys the continuity equation."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality, Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import initial

_SOURCE: Final = "Jordan et al. 1998; Wide-network notes, §4.4 (*)"
DEFECT: Final = Quantity(
    "weak_defect",
    initial("weak_defect", "test_function"),
    "defect of the continuity equation",
    "largest |Δ∫χ dμ/dt + ∫⟨∇χ, ∇δF/δμ⟩ dμ| at four times, by steps of dt = 1/m, τ = 0; the second term is a central "
    "difference of F along ±dt ∇χ",
    "theory.md §7 wgf-weak",
    fitted=False,
)
ORDER: Final = Quantity(
    "weak_order",
    initial("weak_order", "function_with_order"),
    "order of the defect of the continuity equation",
    "log₂ of the ratio of weak_defect at dt = 1/m and at dt/2",
    "theory.md §7 wgf-weak",
    fitted=False,
)
NOISY_DEFECT: Final = Quantity(
    "noisy_weak_defect",
    initial("noisy_weak_defect", "test_function"),
    "defect of the continuity equation with noise",
    "(Δ∫χ dμ/dt + ∫⟨∇χ, ∇V⟩ dμ)/τ − ∫Δχ dμ of a noisy step of dt = 1/m in V = |θ|²/2",
    "theory.md §7 wgf-weak",
    fitted=False,
)
CLAIM: Final = Claim(
    "wgf-weak",
    "d/dt ∫χ dμ + ∫⟨∇χ, ∇δF₀/δμ⟩ dμ − τ∫Δχ dμ = 0 for every test function χ; of steps of size dt it is O(dt), at τ > 0 "
    "in expectation.",
    (
        Evidence(
            "weak_form",
            (
                Equality(
                    ORDER,
                    lambda s, _: s.case == "claim",
                    lambda _, chi: 2.0 if chi == "sum" else 1.0,
                    within=0.05,
                    source=_SOURCE,
                    note="2 for a linear χ: Euler makes no error, and the central difference of F leaves dt²",
                    runs="the widest",
                ),
                Inequality(
                    DEFECT,
                    lambda s, chi: s.case == "claim" and chi == "last",
                    "≤",
                    lambda *_: 1e-11,
                    _SOURCE,
                    note="χ = a: F is quadratic along it, so that the central difference has no error either",
                ),
                Equality(
                    NOISY_DEFECT,
                    lambda s, _: s.case == "claim",
                    lambda *_: 0.0,
                    within=0.1,
                    source=_SOURCE,
                    note="∫Δχ dμ, which the twin leaves out, is 3 for the square, −0.5 and −0.4 for sine and bump",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="steps with half of the velocity at τ = 0, and without τ∫Δχ dμ at τ > 0",
            of="computation",
        ),
    ),
    source=_SOURCE,
)
