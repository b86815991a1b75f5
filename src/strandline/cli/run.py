"""How a command ends: errors as one readable message and an exit code, Ctrl-C tidily.

``--debug`` shows the traceback.
"""

from __future__ import annotations

import re
import signal
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

# What the library's parameters are called here, where it is not their own name.
_OPTIONS_OF = {
    "reflectance": ("--digital-numbers",),
    "storage_options": ("--anonymous",),
    "time": ("--date", "--date-before", "--date-after"),
    "n_clusters": ("--clusters",),
    "n_subclusters": ("--subclusters",),
    "at": ("--water-at",),
    "labels": ("--water-labels",),
}


class _Terminated(KeyboardInterrupt):
    """The system asked us to end; that is done as tidily as on Ctrl-C."""


def main() -> None:
    """Run the command line; errors become a message and an exit code."""
    debug = "--debug" in sys.argv
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    from strandline.cli.commands import app

    try:
        app(arguments, prog_name="strandline")
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; that is no error of ours.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        from strandline.errors import StrandlineError

        if debug:
            raise
        if not isinstance(error, StrandlineError):
            _complain(
                f"Unexpected {type(error).__name__}: {error}\n"
                "This is a fault of Strandline; run again with --debug and report what it says."
            )
            sys.exit(1)
        notes = getattr(error, "__notes__", [])
        _complain(" ".join([f"Error: {error}", *_options_named(error, arguments), *notes]))
        sys.exit(EXIT_ERROR)


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


_show_plainly = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say our own warnings in a line, without the place in the code that others' come with."""
    from strandline.errors import StrandlineWarning

    if issubclass(category, StrandlineWarning):
        _complain(f"Warning: {message}")
    else:
        _show_plainly(message, category, filename, lineno, file, line)


def _options_named(error: Exception, arguments: Sequence[str]) -> list[str]:
    """Say what the parameters that an error speaks of are called on the command line."""
    from strandline.cli.commands import app
    from strandline.errors import MissingCRSError

    commands = getattr(typer.main.get_command(app), "commands", {})
    command = commands.get(next((word for word in arguments if not word.startswith("-")), ""))
    there = {option for parameter in getattr(command, "params", ()) for option in parameter.opts}
    crs = ("--source-crs",) if isinstance(error, MissingCRSError) else ("--crs",)
    names = re.findall(r"\b([a-z_]+)(?:\[\d+\])?=|\b(storage_options)\b", str(error))
    found = [
        option
        for name in dict.fromkeys(first or second for first, second in names)
        for option in {**_OPTIONS_OF, "crs": crs}.get(name, ["--" + name.replace("_", "-")])
        if option in there
    ]
    return [f"(Here: {', '.join(found)}.)"] if found else []


def _complain(message: str) -> None:
    typer.echo(message, err=True)


@contextmanager
def show_progress() -> Iterator[dict[str, Any]]:
    """Show each stage with a bar of its tasks or tiles; plain lines where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            yield {"progress": lambda stage: typer.echo(f"{stage} …", err=True)}
            return
        from strandline.progress import stage_bars

        with stage_bars(console) as bars:
            yield {"progress": bars.begin, "on_tile": bars.count}
    except KeyboardInterrupt as interruption:
        # Caught here, since Typer's own handling says nothing and differs between versions.
        kept = getattr(interruption, "__notes__", ["Nothing half-finished was left behind."])
        _complain(" ".join(["Interrupted.", *kept]))
        terminated = isinstance(interruption, _Terminated)
        raise typer.Exit(EXIT_TERMINATED if terminated else EXIT_INTERRUPTED) from None
