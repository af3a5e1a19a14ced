"""The turns of a sweep in this process, as tests watch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sweepengine.execute import _make_turn

if TYPE_CHECKING:
    import pytest


class Begun(NamedTuple):
    """How many runs a turn advances together, and the step from which it goes on."""

    runs: int
    step: float


def watched_turns(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """The turns that tasks of this process begin from now on, in their order."""
    begun: list[Begun] = []
    real = _make_turn.make_turn

    def watched(runs: Any, *others: Any, **options: Any) -> Any:
        made: Any = real(runs, *others, **options)
        begun.append(Begun(len(runs), made.state()["step"].item()))
        return made

    for module in ("_pack", "_follower"):
        monkeypatch.setattr(f"sweepengine.execute.{module}.make_turn", watched)
    return begun
