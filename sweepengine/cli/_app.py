"""The commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sweepengine import __version__

app = typer.Typer(
    help="Measure how fast wide neural networks approach their infinite-width limits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ExecutorChoice(StrEnum):
    """Where packs are advanced."""

    RAY = "ray"
    INLINE = "inline"


class DeviceChoice(StrEnum):
    """Where tasks compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class DurabilityChoice(StrEnum):
    """What a commit survives."""

    RENAME = "rename"
    FSYNC = "fsync"


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


TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="Take the store from a driver that still holds it; that driver stops.")
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers models, observables, terms and units of your own; may be given again.",
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


@app.command()
def run(
    spec: SpecArgument,
    *,
    store: StoreOption = None,
    executor: Annotated[
        ExecutorChoice, typer.Option(help="ray, or inline: in this process, for debugging.")
    ] = ExecutorChoice.RAY,
    address: Annotated[
        str | None,
        typer.Option(help="A running Ray cluster; a private one is started where not given.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Tasks at the same time on the private cluster; every CPU where not given.", show_default=False
        ),
    ] = None,
    device: Annotated[
        DeviceChoice, typer.Option(help="Where tasks compute; auto takes GPUs where there are some.")
    ] = DeviceChoice.AUTO,
    cuda_graphs: Annotated[
        bool,
        typer.Option(
            "--cuda-graphs",
            help="With --device cuda: replay steps of networks as CUDA graphs. Never run on a GPU so far.",
        ),
    ] = False,
    take_over: TakeOverOption = False,
    run_timeout: Annotated[
        float | None,
        typer.Option(
            help="On Ray: seconds after which a run that has said nothing is stopped and recorded as failed.",
            show_default=False,
        ),
    ] = None,
    durability: Annotated[
        DurabilityChoice,
        typer.Option(help="What a commit survives: rename, any killed process; fsync, a power cut too (slower)."),
    ] = DurabilityChoice.RENAME,
    plugin: PluginOption = None,
    report: Annotated[bool, typer.Option(help="Write the report when the sweep is done.")] = True,
) -> None:
    """Run a sweep, or what is missing of it: the same command again resumes."""
    from sweepengine.cli._commands import run_command

    raise typer.Exit(
        run_command(
            spec,
            store,
            executor.value,
            address,
            workers,
            device.value,
            plugin or [],
            cuda_graphs=cuda_graphs,
            take_over=take_over,
            run_timeout=run_timeout,
            durability=durability.value,
            report=report,
        )
    )


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
) -> None:
    """Fit the scaling laws and write report.html, report.json and report.md."""
    from sweepengine.cli._commands import report_command

    report_command(store, output)


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    from sweepengine.cli._commands import schema_command

    schema_command()
