"""Tables of the report for LaTeX documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sweepengine.analysis._format import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sweepengine.analysis._table import Table

_SPECIAL: Final = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
_MATHS: Final = {
    "−": "-", "±": r"\pm", "≤": r"\le", "≥": r"\ge", "→": r"\to", "∞": r"\infty", "∝": r"\propto", "·": r"\cdot",
    "×": r"\times", "√": r"\surd", "‖": r"\Vert", "∈": r"\in", "≈": r"\approx", "²": "^2", "³": "^3", "₀": "_0",
    "₁": "_1", "₂": "_2", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "η": r"\eta", "θ": r"\theta",
    "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "φ": r"\varphi",
    "Θ": r"\Theta", "Σ": r"\Sigma", "Φ": r"\Phi", "∂": r"\partial", "∇": r"\nabla", "½": r"\tfrac12", "ᵀ": r"^\top",
}  # fmt: skip
_MINUS: Final = "−"
_NUMBER: Final = re.compile(r"(−\d[\d./]*)")
_PLAIN: Final = {"–": "--", "—": "---", "“": "``", "”": "''", "’": "'", "…": r"\dots{}"}


def latex(tables: Iterable[Table]) -> str:
    r"""Write tables as `table` environments with booktabs' rules; text from data is escaped.

    Greek letters and signs become mathematics, so that the file compiles with every engine. Needs
    ``\usepackage{booktabs}``.
    """
    return "\n".join(["% \\usepackage{booktabs}", *(_table(table) for table in tables)]) + "\n"


def text(plain: str) -> str:
    """One cell: nothing in it takes effect, and −0.5 is set as one number."""
    return "".join(map(_word, _NUMBER.split(printable(plain))))


def _word(word: str) -> str:
    if _NUMBER.fullmatch(word):
        return f"${word.replace(_MINUS, '-')}$"
    return "".join(
        f"${_MATHS[character]}$" if character in _MATHS else _SPECIAL.get(character) or _PLAIN.get(character, character)
        for character in word
    )


def _table(table: Table) -> str:
    columns = "".join("r" if k in table.numeric else "l" for k in range(len(table.headers)))
    body = [" & ".join(text(cell) for cell in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{text(table.caption)}}}",
            rf"\label{{tab:{table.key}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(text(header) for header in table.headers) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
