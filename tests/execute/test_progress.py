"""The time left is that of the work, not of the number of records, at the pace since the first event."""

from __future__ import annotations

import pytest

from sweepengine.execute._events import Event
from sweepengine.execute._progress import _Counts

START_UP, HEAVY, LIGHT, SLOWER = 6.0, 1.0, 0.1, 1.5
"""Seconds until a worker begins, estimated seconds of two kinds of records, and the factor that the estimates miss."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("sweepengine.execute._progress.time.monotonic", lambda: now[0])
    return now


def test_the_time_left_is_right_once_a_tenth_of_the_work_is_done(clock: list[float]) -> None:
    work = [HEAVY] * 20 + [LIGHT] * 200
    counts = _Counts(runs=22, records=len(work), packs=2, seconds=sum(work))
    assert counts.seconds_left() is None
    assert "left" not in counts.line()
    clock[0] += START_UP
    said, by_number = [], []
    for done, seconds in enumerate(work, 1):
        clock[0] += SLOWER * seconds
        counts.add(Event(records=1, seconds=seconds))
        if done >= 0.1 * sum(work) / HEAVY and done < len(work):
            left = SLOWER * sum(work[done:])
            said.append((counts.seconds_left() or 0.0) / left)
            by_number.append((len(work) - done) / counts.rate() / left)
    assert said == pytest.approx([1.0] * len(said), rel=1e-9)
    assert max(by_number) > 2  # the number of records would mislead
    assert counts.seconds_left() == pytest.approx(0.0, abs=1e-9)
    assert "about 0 s left" in counts.line()


def test_work_that_is_done_twice_leaves_no_negative_time(clock: list[float]) -> None:
    counts = _Counts(runs=1, records=2, packs=1, seconds=2.0)
    for _ in range(4):
        clock[0] += 1.0
        counts.add(Event(records=1, seconds=1.0))
    assert counts.seconds_left() == 0.0
