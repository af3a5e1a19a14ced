"""Options of a run: one table, whose values are checked whoever gives them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from sweepengine.errors import SpecError
from sweepengine.options import RunOptions
from tests.support.command_line import commands


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("commit_seconds", "3", r"found '3'; expected a number of seconds above 0"),
        ("commit_seconds", None, r"found None; expected a number of seconds above 0"),
        ("commit_seconds", float("inf"), r"found inf; expected a number"),
        ("commit_seconds", 0, r"found 0; expected a number of seconds above 0"),
        ("run_timeout", -1.0, r"found -1.0; expected a number of seconds above 0"),
        ("workers", True, r"found True; expected a whole number from 1 on"),
        ("workers", 0, r"found 0; expected a whole number from 1 on"),
        ("runs_per_turn", 1.5, r"found 1.5; expected a whole number from 1 on"),
        ("take_over", "no", r"found 'no'; expected true or false"),
        ("address", 5, r"found 5; expected text"),
        ("executor", "threads", r"found 'threads'; allowed: 'ray', 'inline'"),
        ("wrkers", 2, r"unknown option\. Did you mean 'workers'\? Options: executor, "),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError, match=f"^{name}: {message}"):
        RunOptions.of({name: value})


def test_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(SpecError, match=r"workers: goes with the executor 'ray' only"):
        RunOptions(executor="inline", workers=2)
    assert RunOptions(executor="inline", commit_seconds=1, runs_per_turn=3).runs_per_turn == 3


def test_every_option_is_one_of_the_command_line_with_its_default() -> None:
    defaults = {each.name: each.default for each in commands()["run"].params}
    for option in fields(RunOptions):
        assert defaults[option.name] == option.default
