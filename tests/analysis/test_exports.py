"""Figures, data and tables for papers."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine import analysis
from sweepengine.analysis import FigureFormatError, FigureSource, figure_source, write_exports
from sweepengine.analysis._latex import latex, text
from sweepengine.analysis._table import Table
from sweepengine.cli import main
from tests.support.pages import HOSTILE
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def source() -> FigureSource:
    return figure_source(make_sweep(gammas={"ntk": 0.5, HOSTILE: 1.0})[0])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_figure_is_a_file_and_its_data_are_those_drawn(source: FigureSource, tmp_path: Path) -> None:
    written = write_exports(source, tmp_path, figures=["svg", "pdf"], data=True, tables=True, width=300, font="serif")
    assert all(path.is_file() for path in written)
    assert len(set(written)) == len(written)
    pictures = {path.stem for path in written if path.suffix == ".svg"}
    assert {"width-1", "width-2", "accuracy", "kernel-0-1", "spectrum-2", "loss_train-time-1"} <= pictures
    assert {path.stem for path in written if path.suffix == ".pdf"} == pictures
    for path in written:
        if path.suffix == ".svg":
            drawn = path.read_text(encoding="utf-8")
            assert "serif" in drawn
            assert "<script" not in drawn
    runs = rows_of(tmp_path / "data" / "runs.csv")
    assert len(runs) == source.ds.sizes["run"]
    fit = source.summary.groups[0].fits["kernel_drift"]
    means = [row for row in rows_of(tmp_path / "data" / "width-1-means.csv") if row["group"].startswith("ntk")]
    assert [float(row["value"]) for row in means] == list(fit.means)
    points = rows_of(tmp_path / "data" / "width-1-runs.csv")
    own = sorted(float(row["kernel_drift"]) for row in runs)
    assert sorted(float(row["value"]) for row in points) == pytest.approx(own)


def test_what_is_not_asked_for_is_not_written(source: FigureSource, tmp_path: Path) -> None:
    assert write_exports(source, tmp_path) == []
    with pytest.raises(FigureFormatError, match="Found the format 'gif'; figures are written as pdf, svg, png"):
        write_exports(source, tmp_path, figures=["pdf", "gif"])
    assert list(tmp_path.iterdir()) == []


def test_names_from_data_take_no_effect_in_latex() -> None:
    assert text(r"\input{/etc/passwd} $x$ 5 % _a^b ~ & #") == (
        r"\textbackslash{}input\{/etc/passwd\} \$x\$ 5 \% \_a\textasciicircum{}b \textasciitilde{} \& \#"
    )
    assert text("−0.99 [−1.03, −1/2] ± 3, γ → ∞") == r"$-0.99$ [$-1.03$, $-1/2$] $\pm$ 3, $\gamma$ $\to$ $\infty$"
    table = Table("t", "T", "of m", ("a_b", "n"), (("x & y", "−1"),), frozenset({1}))
    lines = latex([table]).splitlines()
    assert r"\begin{tabular}{lr}" in lines
    assert r"x \& y & $-1$ \\" in lines


def test_the_tables_have_balanced_braces_and_known_characters(source: FigureSource, tmp_path: Path) -> None:
    write_exports(source, tmp_path, tables=True)
    written = (tmp_path / "tables.tex").read_text(encoding="utf-8")
    bare = re.sub(r"\\[\\{}]", "", written)
    assert bare.count("{") == bare.count("}")
    assert written.count(r"\begin{tabular}") == written.count(r"\end{tabular}") == 3
    assert {character for character in written if ord(character) > 127} <= set("§é")


def test_the_command_writes_them_beside_the_report(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stores = [tmp_path / f"{name}.zarr" for name in ("a", "b")]
    for store, activation in zip(stores, ("tanh", "erf"), strict=True):
        sweepengine.run(tiny(name=store.stem, network={"activation": activation}), store, executor="inline")
    assert main(["report", str(stores[0]), "--figures", "svg", "--csv", "--latex"]) == 0
    folder = tmp_path / "a.report"
    assert {path.name for path in folder.iterdir()} >= {"report.html", "figures", "data", "tables.tex"}
    said = capsys.readouterr().out
    assert f"tables: {folder / 'tables.tex'}" in said
    assert main(["report", *map(str, stores)]) == 2
    assert "name one by --output DIR" in capsys.readouterr().err
    assert main(["report", *map(str, stores), "--output", str(tmp_path / "both")]) == 0
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "ntk, a" in page
    assert "mean_field, b" in page
    assert main(["report", str(stores[0]), "--figures", "gif"]) == 2
    assert analysis.FigureFormatError.__name__ not in capsys.readouterr().err
