"""The commands and their options, as Typer reads them."""

from __future__ import annotations

import inspect
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sweepengine import __version__
from sweepengine.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

app = typer.Typer(
    help="Measure how fast wide neural networks approach their infinite-width limits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


SpecArgument = Annotated[
    str,
    typer.Argument(metavar="SPEC", help="A sweep's YAML file, or the name of a packaged job, such as quickstart."),
]
StoreArgument = Annotated[str, typer.Argument(metavar="STORE", help="A store: a path or URL ending in .zarr.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="Where to write; results/<name>.zarr where not given.", show_default=False
    ),
]


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"sweepengine {__version__}")
        raise typer.Exit


PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers models, observables, terms, units and kinds of your own; may be given again.",
        show_default=False,
    ),
]


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


def _typed(option: Field[Any], hint: Any) -> Any:
    """The annotation by which Typer knows an option of a run."""
    least, flag = option.metadata["least"], f"--{option.name.replace('_', '-')}"
    names = [flag] if isinstance(option.default, bool) else []  # a flag has no --no-… form
    shown = typer.Option(*names, help=option.metadata["help"], min=least, show_default=option.default is not None)
    return Annotated[hint, shown]


_HINTS = get_type_hints(RunOptions)


def _with_options(
    *own: inspect.Parameter, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the signature that Typer reads: parameters of its own, and one for every other option of a run."""
    of_runs = [each for each in fields(RunOptions) if each.name not in without]
    shared = [_option(each.name, _typed(each, _HINTS[each.name]), each.default) for each in of_runs]

    def signed(command: Callable[..., None]) -> Callable[..., None]:
        parameters = sorted((*own, *shared), key=lambda parameter: parameter.kind)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return signed


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


@app.command()
@_with_options(
    inspect.Parameter("spec", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=SpecArgument),
    _option("store", StoreOption, None),
    _option("plugin", PluginOption, None),
    _option("report", Annotated[bool, typer.Option(help="Write the report when the sweep is done.")], True),
)
def run(spec: str, *, store: str | None, plugin: list[str] | None, report: bool, **options: Any) -> None:
    """Run a sweep, or what is missing of it: the same command again resumes."""
    from sweepengine.cli._commands import run_command

    raise typer.Exit(run_command(spec, store, plugin or [], options, report=report))


@app.command()
@_with_options(
    inspect.Parameter("store", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=StoreArgument),
    _option("observable", Annotated[str | None, typer.Option(metavar="NAME", help="Quantity with an exponent.")], None),
    _option("claim", Annotated[str | None, typer.Option(metavar="ID", help="Claim, in place of a quantity.")], None),
    _option(
        "target_halfwidth", Annotated[float | None, typer.Option(help="Half-width of the intervals wanted.")], None
    ),
    _option("max_runs", Annotated[int | None, typer.Option(help="Most runs that the store may come to.")], None),
    _option("plugin", PluginOption, None),
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
    """Add seeds or widths to a sweep until its exponents are known well enough; by its section refine where not said."""
    from sweepengine.cli._commands import refine_command

    aim = {"observable": observable, "claim": claim, "target_halfwidth": target_halfwidth, "max_runs": max_runs}
    refine_command(store, aim, plugin or [], options)


ClaimsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Ids of claims; all claims where not given.", show_default=False),
]


@app.command()
@_with_options(
    inspect.Parameter("ids", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=ClaimsArgument, default=None),
    _option(
        "full", Annotated[bool, typer.Option("--full/--quick", help="Sizes for a cluster, or for a laptop.")], False
    ),
    _option(
        "store_dir",
        Annotated[str, typer.Option(metavar="DIR", help="Folder for a store of each job.")],
        "results/claims",
    ),
    _option("list_only", Annotated[bool, typer.Option("--list", help="Say what each claim states, and stop.")], False),
    _option(
        "cost_only", Annotated[bool, typer.Option("--plan", help="Say what each job would cost, and stop.")], False
    ),
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
def plan(spec: SpecArgument, *, store: StoreOption = None, plugin: PluginOption = None) -> None:
    """Say what a sweep would do and cost. Starts and writes nothing."""
    from sweepengine.cli._commands import plan_command

    plan_command(spec, store, plugin or [])


@app.command()
def status(store: StoreArgument) -> None:
    """Say how far a sweep is, and what failed."""
    from sweepengine.cli._commands import status_command

    status_command(store)


@app.command()
def verify(store: StoreArgument) -> None:
    """Read everything in a store and say what is damaged; exit code 1 if anything is. Changes nothing."""
    from sweepengine.cli._commands import verify_command

    raise typer.Exit(verify_command(store))


_HELP = {option.name: option.metadata["help"] for option in fields(RunOptions)}
TakeOverOption = Annotated[bool, typer.Option("--take-over", help=_HELP["take_over"])]


@app.command()
def repair(store: StoreArgument, *, take_over: TakeOverOption = False) -> None:
    """Put back what a store has twice, and forget its damaged runs: running the sweep again computes them alone."""
    from sweepengine.cli._commands import repair_command

    raise typer.Exit(repair_command(store, take_over=take_over))


@app.command()
def report(
    store: StoreArgument,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Folder for the report; beside the store where not given.", show_default=False
        ),
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Fit the scaling laws and write report.html, report.json and report.md."""
    from sweepengine.cli._commands import report_command

    report_command(store, output, plugin or [])


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    from sweepengine.cli._commands import schema_command

    schema_command()
