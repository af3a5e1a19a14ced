"""Texts in ASCII, for terminals whose encoding is no Unicode."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SIGNS: Final = str.maketrans(
    {
        "−": "-", "–": "-", "≤": "<=", "≥": ">=", "≪": "<<", "≠": "!=", "≈": "~", "∝": "~", "→": "->", "↦": "->",
        "←": "<-", "±": "+/-", "×": "x", "·": "*", "½": "1/2", "¼": "1/4", "¾": "3/4", "∞": "inf", "√": "sqrt ",
        "∫": "int ",
        "∬": "int int ", "∇": "grad ", "∂": "d", "⟨": "<", "⟩": ">", "‖": "||", "⟂": "_|_", "⊥": "_|_", "⊗": "(x)",
        "⊙": "(.)", "§": "sec. ", "“": '"', "”": '"', "’": "'", "…": "...", "ℓ": "l",
    }
)  # fmt: skip
_RAISED: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ]+")
_LOWERED: Final = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋]+")
_TOUCH: Final = re.compile("(?<=[A-Za-zα-ωΑ-Ω])(?=[α-ωΑ-Ω])|(?<=[α-ωΑ-Ω])(?=[A-Za-z])")
"""Where a Greek letter and another letter touch: their names need a space between them."""


def in_ascii(text: str) -> str:
    """The text in ASCII: Greek letters by name, x² as x^2, x₂ as x_2; ``?`` for a sign that has no spelling here."""
    text = _RAISED.sub(lambda found: f"^{_plain(found[0])}", text)
    text = _LOWERED.sub(lambda found: f"_{_plain(found[0])}", text)
    text = _TOUCH.sub(" ", text)
    return "".join(map(_spelled, text.replace(" · ", " | ").translate(_SIGNS)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text).translate(_SIGNS)


def _spelled(sign: str) -> str:
    if sign.isascii():
        return sign
    name = unicodedata.name(sign, "")
    if name.startswith("GREEK ") and " LETTER " in name:
        letter = name.split(" LETTER ")[1].split()[0].replace("LAMDA", "LAMBDA")
        return letter.capitalize() if " CAPITAL " in name else letter.lower()
    if unicodedata.combining(sign):
        return ""
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"
