"""The notebooks run as Jupyter runs them, leave nothing behind, and are what the gallery shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import jupytext
import pytest

from tests.support import notebooks

if TYPE_CHECKING:
    from pathlib import Path

GALLERY = notebooks.ROOT / "docs" / "gallery.md"
PICTURES = notebooks.ROOT / "docs" / "gallery"


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_runs_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    for folder in ("pictures", "temporary"):
        (tmp_path / folder).mkdir()
    found = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.support.notebooks",
            name,
            "--pictures",
            str(tmp_path / "pictures"),
        ],
        env=os.environ | {"PYTHONPATH": str(notebooks.ROOT), "TMPDIR": str(tmp_path / "temporary")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    left = {path.name for path in tmp_path.glob("*/*")}
    assert {each for each in left if not each.startswith("torchinductor_")} == {f"{name}.svg"}  # which torch makes
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "temporary"}


def test_a_notebook_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    (tmp_path / "wrong.py").write_text("# %%\nx = 1\n\n# %%\nassert x == 2\n")
    with pytest.raises(AssertionError):
        notebooks.run("wrong")

    class Broken:
        def _repr_html_(self) -> str:
            raise ValueError("cannot be shown")

    monkeypatch.setattr(notebooks, "broken", Broken(), raising=False)
    (tmp_path / "wrong.py").write_text("# %%\nfrom tests.support.notebooks import broken\nbroken\n")
    with pytest.raises(ValueError, match="cannot be shown"):
        notebooks.run("wrong")


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_is_paired_and_has_one_picture(name: str) -> None:
    notebook = jupytext.read(notebooks.NOTEBOOKS / f"{name}.py")
    assert notebook.metadata["jupytext"]["formats"] == "ipynb,py:percent"
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert sum("picture" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1
    assert jupytext.reads(jupytext.writes(notebook, "ipynb"), "ipynb").cells == notebook.cells


def test_the_gallery_shows_every_notebook() -> None:
    page = GALLERY.read_text()
    assert re.findall(r"!\[[^\]]+\]\(gallery/(\w+)\.svg\)", page) == re.findall(r"`analysis/notebooks/(\w+)\.py`", page)
    assert set(re.findall(r"`analysis/notebooks/(\w+)\.py`", page)) == set(notebooks.names())
    assert {path.stem for path in PICTURES.iterdir()} == set(notebooks.names())
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 1_000_000
