"""The short form of the campaigns of faults: what docs/reliability.md counts, in a minute; their judges can say no."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
CAMPAIGNS = ("kills", "suspensions", "pairs", "disks", "corruptions", "links", "fuzz")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every case of the short form, each in processes of its own."""
    folder = tmp_path_factory.mktemp("faults")
    command = [sys.executable, str(BENCHMARKS / "faults.py"), "short", "--work", str(folder / "work")]
    ended = subprocess.run(
        [*command, "--results", str(folder / "results.jsonl")], capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode in {0, 1}, ended.stderr
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_no_case_has_a_defect(results: list[dict[str, Any]], campaign: str) -> None:
    found = [each for each in results if each["campaign"] == campaign]
    assert found
    if all(each["note"].startswith("mount") for each in found):
        pytest.skip(found[0]["note"])  # a small disk needs the right to mount
    assert not [f"{each['replay']}: {each['verdict']}: {each['note']}" for each in found if each["verdict"] != "fine"]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("faultlib.reading")


def test_one_bit_is_a_difference_and_a_lost_record_is_wrong(reading: Any) -> None:
    values = np.array([[1.0, np.nan, 2.0], [0.5, 0.25, np.nan]])

    def shown(changed: np.ndarray, done: list[int]) -> Any:
        numbers = {
            "id": (("run",), np.array(["a", "b"])),
            "records_done": (("run",), np.array(done)),
            "loss_train": (("run", "record"), changed),
        }
        return reading.Reading(numbers)

    whole = shown(values, [3, 3])
    assert not reading.differences(shown(values.copy(), [3, 3]), whole)
    other = values.copy()
    other[0, 2] = np.nextafter(2.0, 3.0)
    assert reading.differences(shown(other, [3, 3]), whole) == ["loss_train"]
    assert reading.wrong_so_far(shown(other, [3, 3]), whole) == ["loss_train"]
    part = values.copy()
    part[:, 1:] = np.nan
    assert not reading.wrong_so_far(shown(part, [2, 1]), whole)  # run a has NaN there in the whole sweep too
    assert reading.wrong_so_far(shown(part, [2, 2]), whole) == ["loss_train"]
    part[1, 2] = 7.0
    assert reading.wrong_so_far(shown(part, [2, 1]), whole) == ["loss_train"]


def test_results_go_on_where_they_were_cut_off(reading: Any, tmp_path: Path) -> None:
    kept = importlib.import_module("faultlib.results")
    path = tmp_path / "results.jsonl"
    for number, verdict in enumerate(("fine", "hang", "fine")):
        kept.append(path, kept.Result("kills", number, "abc", verdict, "", 1.0, ""))
    path.write_text(path.read_text() + '{"campaign": "kil')
    kept.append(path, kept.Result("kills", 3, "abc", "fine", "", 1.0, ""))
    found = kept.read(path)
    assert [each.number for each in found] == [0, 1, 2, 3]
    assert "| kills | 4 | 1 hang |" in kept.summary(found)
