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
_TOLD: Final = 5
"""Largest number of titles that the text of a chart names."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart, with its data.

    Attributes
    ----------
    spec : dict
        The Vega-Lite specification, for `altair` or an editor of Vega.
    """

    spec: dict[str, Any]

    def __repr__(self) -> str:
        """Say what the chart shows and how to see it, without its data."""
        parts = _parts(self.spec)
        titles = list(dict.fromkeys(str(part["title"]) for part in parts if part.get("title")))
        marks = dict.fromkeys(_mark(part) for part in parts if part.get("mark"))
        shown = [f"{len(panels)} panels"] if len(panels := _panels(self.spec)) > 1 else []
        shown += [", ".join(titles[:_TOLD] + ["…"] * (len(titles) > _TOLD))] if titles else []
        shown += [f"{name}: {', '.join(axes)}" for name in ("x", "y") if (axes := _axes(parts, name))]
        shown += [f"marks: {', '.join(marks)}"] if marks else []
        return f"<Chart, {'; '.join(shown)}; .save('figure.pdf') writes it as pdf, svg or png>"

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


def _panels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The charts of which a specification is composed, itself where it is one chart."""
    inner = [part for key in ("concat", "hconcat", "vconcat") for part in spec.get(key, ())]
    return [panel for part in inner for panel in _panels(part)] or [spec]


def _parts(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """A specification with all of its charts and their layers."""
    inner = [part for key in ("concat", "hconcat", "vconcat", "layer") for part in spec.get(key, ())]
    return [spec, *(each for part in inner for each in _parts(part))]


def _mark(part: dict[str, Any]) -> str:
    mark = part["mark"]
    return str(mark["type"] if isinstance(mark, dict) else mark)


def _axes(parts: list[dict[str, Any]], name: str) -> list[str]:
    """Titles of the axes of a channel, and whether they are logarithmic."""
    channels = [part["encoding"][name] for part in parts if name in part.get("encoding", {})]
    return list(
        dict.fromkeys(
            f"{each['title']}{' (log)' * (each.get('scale', {}).get('type') == 'log')}"
            for each in channels
            if each.get("title")
        )
    )


def picture_kind(path: Path) -> str:
    """The format that a picture's name ends in. Raises :class:`FigureFormatError` where it is not known."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise FigureFormatError(f"Cannot write a figure named {path.name!r}; its name must end in .svg, .pdf or .png.")
    return kind
