"""What several commands share: their arguments and options, as Typer reads them."""

from __future__ import annotations

import inspect
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sweepengine.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SpecArgument = Annotated[
    str,
    typer.Argument(metavar="SPEC", help="A sweep's YAML file, or the name of a packaged job, such as quickstart."),
]
StoreArgument = Annotated[str, typer.Argument(metavar="STORE", help="A store: a path or URL ending in .zarr.")]
AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="URL",
        envvar="RAY_API_SERVER_ADDRESS",
        help="The cluster's dashboard, such as http://head:8265.",
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="Where to write; results/<name>.zarr where not given.", show_default=False
    ),
]
StoreDirOption = Annotated[
    str | None,
    typer.Option(
        "--store-dir", metavar="DIR", help="Folder of <name>.zarr; results where not given.", show_default=False
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="A setting in place of the file's own, such as axes.seed=16; may be given again.",
        show_default=False,
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers models, observables, terms, units and kinds of your own; may be given again.",
        show_default=False,
    ),
]
_HELP = {option.name: option.metadata["help"] for option in fields(RunOptions)}
TakeOverOption = Annotated[bool, typer.Option("--take-over", help=_HELP["take_over"])]


def _typed(option: Field[Any], hint: Any) -> Any:
    """The annotation by which Typer knows an option of a run."""
    least, flag = option.metadata["least"], f"--{option.name.replace('_', '-')}"
    names = [flag] if isinstance(option.default, bool) else []  # a flag has no --no-… form
    shown = typer.Option(*names, help=option.metadata["help"], min=least, show_default=option.default is not None)
    return Annotated[hint, shown]


_HINTS = get_type_hints(RunOptions)


def with_options(
    *own: inspect.Parameter, is_run: bool = False, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the signature that Typer reads: parameters of its own, and one for every option of a run.

    Options that go with ``run`` only are left out unless the command ``is_run``, and so are those of ``without``.
    """
    known = [each for each in fields(RunOptions) if each.name not in without]
    taken = [each for each in known if is_run or not each.metadata["run_only"]]
    shared = [option(each.name, _typed(each, _HINTS[each.name]), each.default) for each in taken]

    def signed(command: Callable[..., None]) -> Callable[..., None]:
        parameters = sorted((*own, *shared), key=lambda parameter: parameter.kind)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return signed


def option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    """A parameter of a command for :func:`with_options`."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
