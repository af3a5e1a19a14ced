"""What the command ``plan`` does: print what a sweep would do and cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.cli._sweep import Sweep
    from sweepengine.plan import Addition, Estimate, Machine, Plan
    from sweepengine.spec import AnySpec


_SHOWN_VALUES = 12


def plan_command(sweep: Sweep, cpus: int | None, memory: str | None, gpus: int | None) -> None:
    """Print what a sweep would do and cost, on this machine or on the cluster that the user describes."""
    from sweepengine.amounts import show_bytes
    from sweepengine.errors import about_file
    from sweepengine.execute import try_users_code
    from sweepengine.plan import NOMINAL, MachineRate, estimate, machine_of, make_plan
    from sweepengine.store import SweepStore

    machine = machine_of(cpus, memory, gpus)
    spec = sweep.spec()
    store = SweepStore(sweep.address(spec))
    with about_file(sweep.file):
        plan = make_plan(spec, store, machine)
        try_users_code(plan)
    rate = MachineRate.measure(spec.precision) if plan.missing() else NOMINAL
    packs = list(plan.packs(rate))
    takes = estimate([pack.seconds for pack in packs], machine, spec.workers_of_a_run)
    table = Table(title=f"plan of {spec.name}", show_header=False, title_justify="left")
    for name, values in spec.axes.model_dump(exclude_none=True).items():
        more = " …" if len(values) > _SHOWN_VALUES else ""
        table.add_row(name, f"{len(values)}: {', '.join(map(str, values[:_SHOWN_VALUES]))}{more}")
    table.add_section()
    _add_steps(table, plan)
    _add_runs(table, plan)
    _add_additions(table, plan.additions(rate))
    _add_longer(table, plan)
    for title, names in _unrecorded(spec).items():
        table.add_row("missing", f"no exponent and no figure of {title}: observables lacks {', '.join(names)}")
    table.add_row("packs", f"{len(packs)} tasks in {len(plan.blocks())} blocks")
    table.add_section()
    table.add_row("memory", _memory(plan, machine))
    disk = show_bytes(plan.disk_bytes())
    table.add_row("disk", f"at most {disk} (uncompressed), {plan.file_count()} files")
    table.add_row("time", _time(takes, machine, len(packs)))
    table.add_row("cost", _cost(takes, machine))
    table.add_row(
        "hangs",
        "a run that hangs is waited for; `run --run-timeout SECONDS` ends a run that is silent for longer (on Ray)",
    )
    table.add_row("store", store.address + ("" if store.exists else " (new)"))
    Console().print(table)


def _unrecorded(spec: AnySpec) -> dict[str, list[str]]:
    """Title of each headline quantity that a list of observables drops → the observables that the list lacks."""
    from sweepengine.observe import default_names
    from sweepengine.spec import kind_of

    if spec.observables is None or not kind_of(spec).findings:
        return {}
    from sweepengine.analysis import headline_variables

    lacking = set(default_names(spec)) - set(spec.observables)
    dropped = {
        title: [each for each in names if each in lacking] for title, names in headline_variables(spec.kind).items()
    }
    return {title: names for title, names in dropped.items() if names}


def _add_steps(table: Table, plan: Plan) -> None:
    """Add a row for each step size; a run without steps, such as a computation, has none."""
    stepped = {(run.depth, run.activation, run.step_size): run for run in plan.runs if run.n_steps}
    for (depth, activation, _), run in stepped.items():
        table.add_row(
            "step size",
            f"{run.step_size:.6g} × {run.n_steps} steps = {run.time:g}, {len(run.record_steps)} records "
            f"({f'depth {depth}, {activation}' if depth else activation})",
        )


def _add_runs(table: Table, plan: Plan) -> None:
    from sweepengine.store import Status

    statuses, missing = plan.statuses(), len(plan.unfinished())
    done, diverged, failed = (statuses.count(each) for each in (Status.DONE, Status.DIVERGED, Status.FAILED))
    again = f" ({failed} failed before)" if failed else ""
    table.add_row("runs", f"{len(plan.runs)}: {done} done, {diverged} diverged, {missing} to do{again}")


def _add_additions(table: Table, additions: Sequence[Addition]) -> None:
    """Add a row for observables that runs of the store do not have yet."""
    from sweepengine.amounts import show_bytes

    for each in additions:
        table.add_row(
            "added",
            f"{', '.join(each.observables)}: computed again for {each.runs} runs of the store, which stay as they are; "
            f"{each.seconds / 3600:.3g} CPU-hours and {show_bytes(each.nbytes)} of what is named below",
        )


def _add_longer(table: Table, plan: Plan) -> None:
    """Add rows for runs of the store that are trained for longer, and for the states that are kept of new ones."""
    from sweepengine.amounts import show_bytes

    missing = {run.id for run in plan.missing()}
    known = Counter((longer.time, longer.why) for run, longer in plan.longer.items() if run in missing)
    for (time, why), count in known.items():
        how = f"are trained again from t = 0: {why}" if why else "go on from the states that were kept there"
        table.add_row("longer", f"{count} runs of the store end at time {time:g} and {how}")
    if kept := plan.kept_bytes():
        table.add_row("states", f"{show_bytes(kept)} of last states are kept, from which a longer time goes on")


def _memory(plan: Plan, machine: Machine) -> str:
    from sweepengine.amounts import show_bytes

    text = f"{show_bytes(plan.memory_bytes())} for the worker of the largest task, its libraries included"
    if machine.is_here:
        return text
    return text + ("; not compared, --memory says what a worker has" if machine.memory is None else "")


def _time(takes: Estimate, machine: Machine, packs: int) -> str:
    """How long the sweep takes, and which CPUs have nothing to do."""
    from sweepengine.amounts import show_seconds

    cpus = f"{machine.cpus} CPUs {'of this machine' if machine.is_here else 'as fast as those of this machine'}"
    text = f"about {show_seconds(takes.seconds)} on {cpus} (a factor of 2 either way)"
    few = not machine.is_here and packs < takes.workers
    return text + (f"; there are tasks for {packs} of {takes.workers} workers" if few else "")


def _cost(takes: Estimate, machine: Machine) -> str:
    text = f"{takes.work_hours:.3g} CPU-hours at work"
    if not machine.is_here:
        text += f", {takes.cpu_hours:.3g} CPU-hours held"
    if machine.gpus:
        text += f", {takes.gpu_hours:.3g} GPU-hours held if a GPU is as fast as a CPU (its pace is not known here)"
    return text
