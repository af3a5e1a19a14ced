"""What the commands do: call the library and print what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sweepengine.cli._sweep import install_plugins

if TYPE_CHECKING:
    from sweepengine.cli._sweep import Sweep
    from sweepengine.execute import Outcome
    from sweepengine.refine import Decided
    from sweepengine.reports import Report
    from sweepengine.spec import AnySpec
    from sweepengine.store import Damage, SweepStore


def run_command(sweep: Sweep, options: dict[str, Any], *, report: bool) -> int:
    """Run a sweep, print its summary and write its report; the exit code is 1 if runs failed or there is no report."""
    from sweepengine.errors import about_file
    from sweepengine.execute import progress_for
    from sweepengine.options import RunOptions
    from sweepengine.spec import kind_of
    from sweepengine.sweeps import run

    console, errors = Console(), Console(stderr=True)
    sweep_spec = sweep.spec()
    RunOptions.of(options)  # a bad option is no matter of the spec file
    with about_file(sweep.file):
        outcome = run(
            sweep_spec,
            sweep.address(sweep_spec),
            progress=progress_for(errors),
            decided=lambda decided: _print_decision(console, decided),
            **options,
        )
    has_findings = bool(kind_of(sweep_spec).findings)  # a kind of the user's own may have none
    made = _print_summary(console, outcome.store, users_code=bool(sweep.plugins)) if has_findings else None
    console.print(f"store:  {outcome.store}", markup=False, highlight=False, soft_wrap=True)
    for line in (*_warnings(outcome), *_longer_than(sweep_spec, outcome.store)):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    unreported = report and made is not None and not _report_after_run(console, errors, made)
    return int(outcome.failed > 0 or bool(unreported))


def refine_command(store: str, content: dict[str, Any], plugins: list[str], options: dict[str, Any]) -> None:
    """Add runs to a sweep until its intervals are short enough, and print each decision and the summary."""
    from sweepengine.execute import progress_for
    from sweepengine.refine import refine
    from sweepengine.spec import make_refinement

    install_plugins(plugins)
    console, errors = Console(), Console(stderr=True)
    given = {name: value for name, value in content.items() if value is not None}
    aim = make_refinement(given) if given else None
    for decided in refine(store, aim, progress=lambda _: progress_for(errors), **options):
        _print_decision(console, decided)
    _print_summary(console, store, users_code=bool(plugins))


def _print_decision(console: Console, decided: Decided) -> None:
    """Print a decision of a refinement in one line."""
    console.print(f"refine: {decided.why}", markup=False, highlight=False, soft_wrap=True)


def _report_after_run(console: Console, errors: Console, made: Report) -> bool:
    """Write the report of a sweep that is done; a report that cannot be written does not undo the sweep."""
    from sweepengine.errors import SweepError

    try:
        _write_report(console, made)
    except SweepError as error:
        errors.print(f"error: no report: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    return True


def _warnings(outcome: Outcome) -> list[str]:
    lines = []
    if outcome.diverged:
        lines.append(f"warning: {outcome.diverged} of {outcome.runs} runs diverged; `sweepengine status` names them")
    if outcome.failed:
        lines.append(
            f"error: {outcome.failed} of {outcome.runs} runs failed; `sweepengine failures {outcome.store}` says why, "
            "the same command tries them again"
        )
    return lines


def _longer_than(spec: AnySpec, store: str) -> list[str]:
    """A line if the store has runs of a longer time than a spec's, which the summary shows in place of the spec's."""
    from sweepengine.store import SweepStore, training_times

    own = training_times([spec.to_json()])
    longest = training_times(entry["spec"] for entry in SweepStore(store).attributes["specs"])
    if not own or own == longest[-1:]:
        return []
    times = f"the runs of time {own[-1]:g} were made longer, until time {longest[-1]:g}"
    return [f"note: {times}; the table and the report show the longer ones once all of them have ended"]


def _print_summary(console: Console, store: str, *, users_code: bool) -> Report:
    """Print a store's summary; return the report that goes with it, which is not written yet."""
    from sweepengine.analysis import SummaryView
    from sweepengine.reports import Report, report_folder

    made = Report(store, report_folder(store), users_code=users_code)
    console.print(SummaryView(made.text()))
    return made


def _write_report(console: Console, made: Report) -> None:
    console.print(f"report: {made.write()}", markup=False, highlight=False, soft_wrap=True)


def verify_command(store: str) -> int:
    """Print what is damaged; the exit code is 1 if anything is."""
    from sweepengine.errors import DamagedError
    from sweepengine.store import SweepStore, find_damage

    try:
        sweep_store = SweepStore(store)
        sweep_store.must_exist()
        damages, names = list(find_damage(sweep_store)), _names(sweep_store)
    except DamagedError as error:
        print(f"damaged: {error}")
        return 1
    _print_damage(sweep_store, names, damages)
    if any(damage.is_mended for damage in damages):
        print("`sweepengine repair` with this store forgets these runs; running the sweep again then computes them")
    return int(bool(damages))


def repair_command(store: str, *, take_over: bool) -> int:
    """Repair a store; the exit code is 1 if damage is left that running the sweep again does not mend."""
    from sweepengine.store import SweepStore, repair

    sweep_store = SweepStore(store)
    sweep_store.must_exist()
    names = _names(sweep_store)  # before damaged runs are moved
    damages = repair(sweep_store, take_over=take_over)
    _print_damage(sweep_store, names, damages)
    if any(damage.chunk >= 0 for damage in damages):
        print("forgotten; run the sweep again to compute them")
    return int(not all(damage.is_mended for damage in damages))


def _names(store: SweepStore) -> dict[tuple[str, int], str]:
    return {} if store.table is None else store.table.names()


def _print_damage(store: SweepStore, names: dict[tuple[str, int], str], damages: list[Damage]) -> None:
    for damage in damages:
        runs = ", ".join(names[damage.block, position] for position in damage.positions)
        print(f"damaged: {f'{runs}: ' if runs else ''}{damage.message}")
    if not damages:
        print(f"{store.address}: every committed record and state is what was written")


def schema_command() -> None:
    """Print the JSON schema of a spec."""
    from sweepengine.spec import spec_schema

    print(json.dumps(spec_schema(), indent=2, ensure_ascii=False))
