"""A chart as a value: a Vega-Lite specification that notebooks show and that is written as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart_parts import load_vl_convert, vega_lite_version
from sweepengine.analysis._errors import FigureFormatError
from sweepengine.analysis._writing import write_report_file

if TYPE_CHECKING:
    import os

FORMATS: Final = ("pdf", "svg", "png")
"""Formats of pictures, which are the suffixes of their names too."""
_PNG_SCALE: Final = 2


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart, with its data.

    Attributes
    ----------
    spec : dict
        The Vega-Lite specification, for `altair` or an editor of Vega.
    """

    spec: dict[str, Any]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart as a vector file, `.svg` or `.pdf`, or as a `.png` of twice the nominal resolution.

        Parameters
        ----------
        path
            File to write.

        Returns
        -------
        pathlib.Path
            `path`.

        Raises
        ------
        FigureFormatError
            The name of the file ends in none of them.
        MissingExtraError
            The extra `report` is not installed.
        ReportWriteError
            The file cannot be written.
        """
        target = Path(path)
        kind = picture_kind(target)
        convert, version = load_vl_convert(), vega_lite_version()
        if kind == "svg":
            content = convert.vegalite_to_svg(self.spec, vl_version=version).encode("utf-8")
        elif kind == "pdf":
            content = convert.vegalite_to_pdf(self.spec, vl_version=version)
        else:
            content = convert.vegalite_to_png(self.spec, vl_version=version, scale=_PNG_SCALE)
        write_report_file(target, content)
        return target

    def _repr_svg_(self) -> str:
        return str(load_vl_convert().vegalite_to_svg(self.spec, vl_version=vega_lite_version()))


def picture_kind(path: Path) -> str:
    """The format that a picture's name ends in. Raises :class:`FigureFormatError` where it is not known."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise FigureFormatError(f"Cannot write a figure named {path.name!r}; its name must end in .svg, .pdf or .png.")
    return kind
