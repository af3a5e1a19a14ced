"""The command ``claims`` as a user meets it."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine.claims
from sweepengine.analysis import CLAIMS, Claim
from sweepengine.cli import main
from sweepengine.spec import job_spec
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]
MIXTURE = next(claim for claim in CLAIMS if claim.id == "mixture")
JOBS = sweepengine.claims.jobs_of(CLAIMS)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores, in which the first test computes and the others do not."""
    return tmp_path_factory.mktemp("claims")


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on the shared stores: the exit code, and what it says on both ways."""

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["claims", *words, "--store-dir", str(folder), "--executor", "inline"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def files(folder: Path) -> dict[str, int]:
    """Files of stores with the times of their last change."""
    every = (path for store in folder.rglob("*.zarr") for path in store.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in every}


def test_claims_are_decided_and_a_second_call_computes_nothing(run: Run, folder: Path) -> None:
    code, said, _ = run("mixture", "psd")
    assert code == 0
    for words in (
        "Wide-network notes",
        "power of t along the mixture",
        "0.5 ± 0.05",
        "holds",
        "caught",
        "2 claims: 2 hold",
    ):
        assert says(said, words), words
    document = json.loads((folder / "quick" / "claims.json").read_text())
    assert [(claim["id"], claim["verdict"]) for claim in document["claims"]] == [
        ("mixture", "holds"),
        ("psd", "holds"),
    ]
    assert document["command"] == f"sweepengine claims --store-dir {folder}"
    written = files(folder)
    assert len(written) > 20
    code, again, errors = run("mixture", "psd")
    assert code == 0
    assert files(folder) == written
    assert again == said  # the seconds too, which are those of the computation
    assert "packs" not in errors
    assert json.loads((folder / "quick" / "claims.json").read_text()) == document


def replaced(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Put a changed copy of the claim on mixtures in the place of all claims."""
    changed: Claim = replace(MIXTURE, evidence=(replace(MIXTURE.evidence[0], **changes),))
    monkeypatch.setattr(sweepengine.claims, "CLAIMS", (changed,))


def test_a_refuted_claim_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = MIXTURE.evidence[0].expected[0]
    replaced(monkeypatch, expected=(replace(expected, value=lambda *_: 0.8),))  # type: ignore[type-var]
    code, said, errors = run()
    assert code == 1
    assert "differs" in said
    assert "1 refuted" in said
    assert "error: mixture: differs" in errors


def test_a_twin_that_is_not_caught_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, twin=lambda sweep: sweep)
    code, said, errors = run()
    assert code == 1
    assert "holds" in said
    assert "NOT CAUGHT" in said
    assert "error: mixture: a negative twin was not caught" in errors


def test_a_misspelt_id_is_refused_with_the_nearest(run: Run) -> None:
    code, said, errors = run("mixtur")
    assert code == 2
    assert "found 'mixtur', which is no claim. Did you mean 'mixture'?" in errors
    assert not said


def test_without_the_plotting_libraries_there_is_no_report_but_a_table(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    code, said, errors = run("mixture")
    assert code == 1
    assert "power of t along the mixture" in said
    assert "error: no report: " in errors
    assert "pip install altair vl-convert-python" in errors
    assert (folder / "quick" / "claims.json").is_file()  # of the tests before; it was not touched


def test_the_list_says_every_claim_also_where_there_is_little_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("120", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["claims", "--list"]) == 0
        listed = capsys.readouterr().out
        for claim in CLAIMS:
            assert says(listed, claim.id), claim.id
        assert max(len(line) for line in listed.splitlines()) <= int(columns)
    assert not list(Path().iterdir())
    assert main(["claims", "mixture", "--list"]) == 0
    assert "m^−1/2" not in capsys.readouterr().out  # that of others


def test_the_plan_says_the_cost_of_each_job_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "mixture", "psd", "--plan"]) == 0
    quick = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in quick] == ["mixture", "definiteness"]
    assert main(["claims", "mixture", "--plan", "--full"]) == 0
    (full,) = capsys.readouterr().out.splitlines()
    for line, size in ((quick[0], "quick"), (full, "full")):
        axes = job_spec("mixture", size).axes.model_dump()  # type: ignore[arg-type]
        runs = len(axes["case"]) * len(axes["width"]) * len(axes["seed"])
        assert says(line, f"{runs} of {runs} runs to do"), line
    assert quick[0] != full
    assert not list(Path().iterdir())


@pytest.mark.parametrize("job", JOBS)
def test_every_job_of_a_claim_has_larger_sizes_for_a_cluster(job: str) -> None:
    quick, full = (job_spec(job, size).axes.model_dump(exclude_none=True) for size in ("quick", "full"))

    def count(axes: dict[str, Any]) -> int:
        return math.prod(len(values) for values in axes.values())

    assert set(full) >= set(quick)
    assert count(full) > count(quick)
    assert max(full["width"]) >= max(quick["width"])


def test_what_was_interrupted_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[None]:
        os.kill(os.getpid(), signal.SIGINT)
        yield

    monkeypatch.setattr(sweepengine.claims, "decide_claims", interrupted)
    assert main(["claims", "mixture", "--workers", "1"]) == 130
    assert "`sweepengine claims mixture --workers 1` goes on from there." in capsys.readouterr().err
