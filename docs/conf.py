"""The site that `make docs` builds with Sphinx from the Markdown pages and the docstrings (docs/architecture.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError

import sweepengine

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "sweepengine"
version = release = sweepengine.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]

# Pages are those that GitHub shows: headings have its anchors, and formulas stand between dollars.
myst_enable_extensions = ["attrs_inline", "dollarmath"]
myst_heading_anchors = 4

# Docstrings have the types and shapes; signatures have the names and the defaults.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False  # autodoc shows them
default_role = "literal"

html_theme = "furo"
html_title = f"sweepengine {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

ONE_LETTER = re.compile(r"\\(mathbb|mathbf|mathcal) ([A-Za-z0-9])")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
SECTION = re.compile(r"theory\.md §(\d+(?:\.\d+)?)")
MARKED = re.compile(r"(`+[^`]+`+|\*\*\w+\*\*|\*\w+\*)")


def _mathml(node: nodes.Element, display: str) -> str:
    """A formula as the browser sets it by itself: neither a script nor a font has to be fetched."""
    tex = node.astext()
    made = convert(ONE_LETTER.sub(r"\\\1{\2}", tex), display=display)
    if "\\" in made:
        raise ExtensionError(f"latex2mathml does not know a command of {tex!r}; write the formula otherwise")
    return made


def _inline(self: Any, node: nodes.Element) -> None:
    self.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<div class="formula">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


def _name_anchors(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Anchors that GitHub reads become names that links between pages are checked against."""
    source[0] = ANCHOR.sub(r"[]{#\1}", source[0])


def _read(_app: Sphinx, _kind: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """In docstrings |x| and E* are formulas, and no marks of reStructuredText; sections of theory.md are links."""
    for number, line in enumerate(lines):
        parts = MARKED.split(line)
        for place, part in enumerate(parts[::2]):
            literal = re.sub(r"(?<!^)[|*]|^[|]", r"\\\g<0>", part)
            parts[2 * place] = SECTION.sub(_link, literal)
        lines[number] = "".join(parts)


def _link(section: re.Match[str]) -> str:
    return f"`{section[0]} <../theory.html#s{section[1].replace('.', '-')}>`__"


def _skip(_app: Sphinx, _kind: str, name: str, thing: object, _skipped: object, _options: object) -> bool | None:
    """Leaves out what a package imports and is not ours, and pydantic's settings."""
    home = getattr(thing, "__module__", "sweepengine")
    return True if name == "model_config" or not str(home).startswith("sweepengine") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it: its configuration is an extension too."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("source-read", _name_anchors)
    app.connect("autodoc-process-docstring", _read, priority=400)  # before numpydoc adds marks of its own
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
