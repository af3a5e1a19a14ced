"""The commands and their options, as Typer reads them."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from sweepengine import __version__
from sweepengine.cli._annotations import (
    AddressOption,
    PluginOption,
    SetOption,
    SpecArgument,
    StoreArgument,
    StoreDirOption,
    StoreOption,
    TakeOverOption,
    option,
    with_options,
)

app = typer.Typer(
    help="Measure how fast wide neural networks approach their infinite-width limits.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"sweepengine {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version_asked: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=lambda asked: _version(asked=asked), is_eager=True
        ),
    ] = False,
) -> None:
    """Measure how fast wide neural networks approach their infinite-width limits."""


@app.command()
@with_options(
    inspect.Parameter("spec", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=SpecArgument),
    option("settings", SetOption, None),
    option("store", StoreOption, None),
    option("store_dir", StoreDirOption, None),
    option("plugin", PluginOption, None),
    option("report", Annotated[bool, typer.Option(help="Write the report when the sweep is done.")], True),
    is_run=True,
)
def run(
    spec: str,
    *,
    settings: list[str] | None,
    store: str | None,
    store_dir: str | None,
    plugin: list[str] | None,
    report: bool,
    **options: Any,
) -> None:
    """Run a sweep, or what is missing of it: the same command again resumes."""
    from sweepengine.cli._commands import run_command
    from sweepengine.cli._sweep import Sweep

    raise typer.Exit(run_command(Sweep(spec, settings or (), plugin or (), store, store_dir), options, report=report))


@app.command()
@with_options(
    inspect.Parameter("store", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=StoreArgument),
    option("observable", Annotated[str | None, typer.Option(metavar="NAME", help="Quantity with an exponent.")], None),
    option("claim", Annotated[str | None, typer.Option(metavar="ID", help="Claim, in place of a quantity.")], None),
    option("target_halfwidth", Annotated[float | None, typer.Option(help="Half-width of the intervals wanted.")], None),
    option("max_runs", Annotated[int | None, typer.Option(help="Most runs that the store may come to.")], None),
    option("plugin", PluginOption, None),
)
def refine(
    store: str,
    *,
    observable: str | None,
    claim: str | None,
    target_halfwidth: float | None,
    max_runs: int | None,
    plugin: list[str] | None,
    **options: Any,
) -> None:
    """Add seeds or widths to a sweep until its exponents are known well enough; by its section refine if not said."""
    from sweepengine.cli._commands import refine_command

    aim = {"observable": observable, "claim": claim, "target_halfwidth": target_halfwidth, "max_runs": max_runs}
    refine_command(store, aim, plugin or [], options)


ClaimsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Ids of claims; all claims where not given.", show_default=False),
]


@app.command()
@with_options(
    inspect.Parameter("ids", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=ClaimsArgument, default=None),
    option(
        "full", Annotated[bool, typer.Option("--full/--quick", help="Sizes for a cluster, or for a laptop.")], False
    ),
    option(
        "store_dir",
        Annotated[str, typer.Option(metavar="DIR", help="Folder for a store of each job.")],
        "results/claims",
    ),
    option("list_only", Annotated[bool, typer.Option("--list", help="Say what each claim states, and stop.")], False),
    option("cost_only", Annotated[bool, typer.Option("--plan", help="Say what each job would cost, and stop.")], False),
)
def claims(
    ids: list[str] | None, *, full: bool, store_dir: str, list_only: bool, cost_only: bool, **options: Any
) -> None:
    """Decide the statements of the notes: run what is missing, print the verdicts, write claims.html, .md and .json."""
    from sweepengine.cli._claims import claims_command, cost_command, list_command

    if list_only:
        list_command(ids or [])
    elif cost_only:
        cost_command(ids or [], "full" if full else "quick", store_dir)
    else:
        raise typer.Exit(claims_command(ids or [], "full" if full else "quick", store_dir, options))


@app.command()
def plan(
    spec: SpecArgument,
    *,
    settings: SetOption = None,
    store: StoreOption = None,
    store_dir: StoreDirOption = None,
    plugin: PluginOption = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Plan for a cluster of so many CPUs, not for this machine.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Memory of each worker of the cluster, such as 8GB.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs of the cluster.")] = None,
) -> None:
    """Say what a sweep would do and cost. Starts and writes nothing."""
    from sweepengine.cli._plan import plan_command
    from sweepengine.cli._sweep import Sweep

    plan_command(Sweep(spec, settings or (), plugin or (), store, store_dir), cpus, memory, gpus)


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def status(
    store: Annotated[
        str, typer.Argument(metavar="STORE|JOB", help="A store; or, with --address, the id of a job that drives one.")
    ],
    *,
    address: AddressOption = "",
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until stopped.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between two looks.")] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Say how far a sweep is: runs by axis and status, who is at work, what failed. Reads the store alone."""
    from sweepengine.cli._jobs import store_of
    from sweepengine.cli._status import status_command

    status_command(store_of(store, address), every if watch else None, as_json=as_json)


@app.command()
def failures(store: StoreArgument, *, as_json: JsonOption = False) -> None:
    """Say what failed: each run with its axes, its whole traceback, and where it was computed."""
    from sweepengine.cli._failures import failures_command

    failures_command(store, as_json=as_json)


@app.command()
def verify(store: StoreArgument) -> None:
    """Read everything in a store and say what is damaged; exit code 1 if anything is. Changes nothing."""
    from sweepengine.cli._commands import verify_command

    raise typer.Exit(verify_command(store))


@app.command()
def repair(store: StoreArgument, *, take_over: TakeOverOption = False) -> None:
    """Put back what a store has twice, and forget its damaged runs: running the sweep again computes them alone."""
    from sweepengine.cli._commands import repair_command

    raise typer.Exit(repair_command(store, take_over=take_over))


@app.command()
def gc(
    store: StoreArgument,
    *,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; without this nothing is changed.")] = False,
    take_over: TakeOverOption = False,
) -> None:
    """Say what killed writers have left in a store, and how many bytes it takes; with --delete, delete it."""
    from sweepengine.cli._gc import gc_command

    gc_command(store, delete=delete, take_over=take_over)


@app.command()
def report(
    stores: Annotated[
        list[str],
        typer.Argument(metavar="STORE...", help="Stores: paths or URLs ending in .zarr; several are compared."),
    ],
    *,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Folder for the report; beside the store where not given.", show_default=False
        ),
    ] = None,
    figures: Annotated[
        str, typer.Option(metavar="pdf,svg,png", help="Write each figure into figures/ too.", show_default=False)
    ] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Write the data of figures and runs into data/ too.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Write the tables into tables.tex too.")] = False,
    width: Annotated[int, typer.Option("--figure-width", min=80, help="Width of a panel in points.")] = 360,
    font: Annotated[str, typer.Option("--figure-font", help="Fonts of the figures.", show_default=False)] = "",
    plugin: PluginOption = None,
) -> None:
    """Fit the scaling laws and write report.html, report.json and report.md, and what a paper takes of them."""
    from sweepengine.cli._report import report_command

    report_command(stores, output, plugin or [], figures=figures, data=csv, tables=latex, width=width, font=font)


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    from sweepengine.cli._commands import schema_command

    schema_command()
