"""What the commands do: call the library and print what it says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sweepengine.execute import Outcome
    from sweepengine.refine import Decided
    from sweepengine.reports import Report
    from sweepengine.spec import AnySpec
    from sweepengine.store import Damage, DamagedMarkError, SweepStore


_NAMED_RUNS = 3


def run_command(
    spec: str,
    store: str | None,
    plugins: list[str],
    options: dict[str, Any],
    *,
    report: bool,
) -> int:
    """Run a sweep, print its summary and write its report; the exit code is 1 if runs failed or there is no report."""
    from sweepengine.execute import progress_for
    from sweepengine.spec import kind_of
    from sweepengine.sweeps import run

    console, errors = Console(), Console(stderr=True)
    sweep_spec = _read_spec(spec, plugins)
    outcome = run(
        sweep_spec,
        store,
        progress=progress_for(errors),
        decided=lambda decided: _print_decision(console, decided),
        **options,
    )
    has_findings = bool(kind_of(sweep_spec).findings)  # a kind of the user's own may have none
    made = _print_summary(console, outcome.store, users_code=bool(plugins)) if has_findings else None
    console.print(f"store:  {outcome.store}", markup=False, highlight=False, soft_wrap=True)
    for line in _warnings(outcome):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    unreported = report and made is not None and not _report_after_run(console, errors, made)
    return int(outcome.failed > 0 or bool(unreported))


def refine_command(store: str, content: dict[str, Any], plugins: list[str], options: dict[str, Any]) -> None:
    """Add runs to a sweep until its intervals are short enough, and print each decision and the summary."""
    from sweepengine.execute import progress_for
    from sweepengine.refine import refine
    from sweepengine.spec import make_refinement

    _install(plugins)
    console, errors = Console(), Console(stderr=True)
    given = {name: value for name, value in content.items() if value is not None}
    aim = make_refinement(given) if given else None
    for decided in refine(store, aim, progress=lambda _: progress_for(errors), **options):
        _print_decision(console, decided)
    _print_summary(console, store, users_code=bool(plugins))


def _print_decision(console: Console, decided: Decided) -> None:
    """Print a decision of a refinement in one line."""
    console.print(f"refine: {decided.why}", markup=False, highlight=False, soft_wrap=True)


def _read_spec(word: str, plugins: list[str]) -> AnySpec:
    """Read the spec of a file or of a packaged job; print the job's file, and the plugin that the user has to name.

    The plugins that the user has named are executed first, because a plugin may register the kind of the spec.
    """
    from sweepengine.spec import is_job_name, job_path, job_plugin, read_spec

    _install(plugins)
    if not is_job_name(word):
        return read_spec(word)
    job = job_path(word)
    plugin = job_plugin(job)
    needs = f"; it needs --plugin {plugin}" if plugin else ""
    Console(stderr=True).print(f"job:    {job}{needs}", markup=False, highlight=False, soft_wrap=True)
    return read_spec(job)


def _install(plugins: list[str]) -> None:
    """Execute the plugins that the user has named."""
    from sweepengine.plugins import install, read_plugin

    for path in plugins:
        install(read_plugin(path))


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
        lines.append(f"error: {outcome.failed} of {outcome.runs} runs failed; the same command tries them again")
    return lines


def _print_summary(
    console: Console, store: str, folder: Path | None = None, *, anew: bool = False, users_code: bool
) -> Report:
    """Print a store's summary; return the report that goes with it, which is not written yet."""
    from sweepengine.analysis import SummaryView
    from sweepengine.reports import Report, report_folder

    made = Report(store, folder or report_folder(store), anew=anew, users_code=users_code)
    console.print(SummaryView(made.text()))
    return made


def _write_report(console: Console, made: Report) -> None:
    console.print(f"report: {made.write()}", markup=False, highlight=False, soft_wrap=True)


def plan_command(spec_path: str, store: str | None, plugins: list[str]) -> None:
    """Print what a sweep would do and cost."""
    from sweepengine.execute import default_store, try_users_code
    from sweepengine.plan import MachineRate, available_cpus, make_plan, sweep_seconds
    from sweepengine.store import Status, SweepStore

    spec = _read_spec(spec_path, plugins)
    sweep_store = SweepStore(store or default_store(spec))
    plan = make_plan(spec, sweep_store)
    try_users_code(plan)
    missing = len(plan.missing())
    packs = list(plan.packs(MachineRate.measure(spec.precision))) if missing else []
    workers = available_cpus()
    statuses = plan.statuses()
    table = Table(title=f"plan of {spec.name}", show_header=False, title_justify="left")
    axes = spec.axes.model_dump(exclude_none=True)
    for name, values in axes.items():
        table.add_row(name, f"{len(values)}: {', '.join(map(str, values[:12]))}{' …' if len(values) > 12 else ''}")
    table.add_section()
    # A run without steps, such as a computation, has no step size.
    stepped = {(run.depth, run.activation, run.step_size): run for run in plan.runs if run.n_steps}
    for (depth, activation, _), run in stepped.items():
        table.add_row(
            "step size",
            f"{run.step_size:.6g} × {run.n_steps} steps = {run.time:g}, {len(run.record_steps)} records "
            f"({f'depth {depth}, {activation}' if depth else activation})",
        )
    done, diverged, failed = (statuses.count(each) for each in (Status.DONE, Status.DIVERGED, Status.FAILED))
    again = f" ({failed} failed before)" if failed else ""
    table.add_row("runs", f"{len(plan.runs)}: {done} done, {diverged} diverged, {missing} to do{again}")
    table.add_row("packs", f"{len(packs)} tasks in {len(plan.blocks())} blocks")
    table.add_section()
    table.add_row(
        "memory",
        f"{_bytes(plan.memory_bytes())} for the worker of the largest task, its libraries included",
    )
    table.add_row("disk", f"at most {_bytes(plan.disk_bytes())} (uncompressed), {plan.file_count()} files")
    table.add_row(
        "time",
        f"about {sweep_seconds([pack.seconds for pack in packs], workers):.0f} s on {workers} CPUs of this machine "
        "(a factor of 2 either way)",
    )
    table.add_row(
        "hangs",
        "a run that hangs is waited for; `run --run-timeout SECONDS` ends a run that is silent for longer (on Ray)",
    )
    table.add_row("store", sweep_store.address + ("" if sweep_store.exists else " (new)"))
    Console().print(table)


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def status_command(store: str) -> None:
    """Print how far a sweep is."""
    from sweepengine.store import Status, SweepStore, read_failures, runs_of

    sweep_store = SweepStore(store)
    sweep_store.must_exist()
    console = Console()
    table = Table(title=f"status of {sweep_store.address}", title_justify="left")
    table.add_column("block", overflow="fold")
    for status in Status:
        table.add_column(status.label, justify="right")
    table.add_column("records", justify="right")
    names = _names(sweep_store)
    troubles: list[str] = []
    failed: dict[str, list[str]] = {}
    positions = {} if sweep_store.table is None else sweep_store.table.positions
    for block, shape in sweep_store.block_shapes().items():
        damaged: dict[int, DamagedMarkError] = {}
        every = runs_of(shape, sweep_store.marks(block, shape, damaged))
        marks = {position: every[position] for position in positions[block]}  # other runs of the block have been moved
        troubles += [f"damaged: {error}" for error in damaged.values()]
        statuses = {p: Status.PENDING if mark is None else mark.status for p, mark in marks.items()}
        counts = Counter(statuses.values())
        recorded = sum(mark.records_done for mark in marks.values() if mark is not None)
        table.add_row(block, *(str(counts[each]) for each in Status), f"{recorded}/{len(marks) * shape.records}")
        troubles += [
            f"diverged: {names[block, position]} at step {mark.diverged_step}"
            for position, mark in marks.items()
            if mark is not None and mark.status is Status.DIVERGED
        ]
        failures = read_failures(sweep_store.objects, block) if counts[Status.FAILED] else {}
        for position, text in failures.items():
            if statuses.get(position) is Status.FAILED:
                reason = text.strip().splitlines()[-1].removeprefix("sweepengine.errors.")
                failed.setdefault(reason, []).append(names[block, position])
    for reason, runs in failed.items():
        shown = ", ".join(runs[:_NAMED_RUNS]) + (" …" if len(runs) > _NAMED_RUNS else "")
        troubles.append(f"failed: {f'{len(runs)} runs, {shown}' if len(runs) > 1 else shown}: {reason}")
    console.print(table)
    for trouble in troubles:
        console.print(trouble, markup=False, highlight=False, soft_wrap=True)


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


def report_command(store: str, output: str | None, plugins: list[str]) -> None:
    """Write a store's report; a plugin may register the kind of its sweep."""
    _install(plugins)
    console = Console()
    folder = None if output is None else Path(output)
    _write_report(console, _print_summary(console, store, folder, anew=True, users_code=bool(plugins)))


def schema_command() -> None:
    """Print the JSON schema of a spec."""
    from sweepengine.spec import spec_schema

    print(json.dumps(spec_schema(), indent=2, ensure_ascii=False))
