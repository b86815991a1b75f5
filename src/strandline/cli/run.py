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

from strandline.cli.console import prepare_console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_FAULT = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

LONG_WORD = 300
"""Longer words are cut in messages; no path is as long."""


class _Terminated(KeyboardInterrupt):
    """The system asked us to end; that is done as tidily as on Ctrl-C."""


def main() -> None:
    """Run the command line; errors become a message and an exit code."""
    debug = "--debug" in sys.argv
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    prepare_console()
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    from strandline.cli.commands import app

    try:
        app(arguments, prog_name="strandline")
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; that is not an error of ours.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _complain(_message(error, arguments))
        sys.exit(EXIT_ERROR if _is_expected(error) else EXIT_FAULT)


def _is_expected(error: Exception) -> bool:
    """Say whether an error is one that we raise on purpose, or that a name brings about."""
    from strandline.errors import StrandlineError

    return isinstance(error, StrandlineError) or _is_of_a_name(error)


def _is_of_a_name(error: Exception) -> bool:
    """Return whether a file's name is in bytes that are not text in this system's encoding."""
    return isinstance(error, UnicodeEncodeError) and any(
        "\ud800" <= letter <= "\udfff" for letter in error.object
    )


def _message(error: Exception, arguments: Sequence[str]) -> str:
    """Say what went wrong, with the options that belong to it."""
    from strandline.cli.wording import in_words_of_options

    if isinstance(error, UnicodeEncodeError) and _is_of_a_name(error):
        return (
            f"Error: The name {error.object[:200]!a} is not text in this system's encoding "
            f"({sys.getfilesystemencoding()}). Rename the file or folder, or set PYTHONUTF8=1."
        )
    if not _is_expected(error):
        return (
            f"Unexpected {type(error).__name__}: {error}\n"
            "This is a bug in Strandline; run again with --debug and report what it says."
        )
    name, options = command_of(arguments)
    notes = getattr(error, "__notes__", [])
    text = " ".join([f"Error: {in_words_of_options(error, name, options)}", *notes])
    # A value of thousands of letters would hide what is said about it.
    return re.sub(rf"(\S{{{LONG_WORD // 4}}})\S{{{LONG_WORD},}}", r"\1…", text)


def command_of(arguments: Sequence[str]) -> tuple[str, set[str]]:
    """Give the name of the command that was called, and the options that it has."""
    from strandline.cli.commands import app

    commands = getattr(typer.main.get_command(app), "commands", {})
    name = next((word for word in arguments if not word.startswith("-")), "")
    parameters = getattr(commands.get(name), "params", ())
    return name, {option for parameter in parameters for option in parameter.opts}


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


def say(message: str) -> None:
    """Print a message on standard output."""
    _write(message, sys.stdout)


def _complain(message: str) -> None:
    _write(message, sys.stderr)


def _write(message: str, stream: TextIO) -> None:
    stream.write(f"{message}\n")
    stream.flush()


@contextmanager
def show_progress() -> Iterator[dict[str, Any]]:
    """Show each stage with a bar of its tasks or tiles; plain lines where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            yield {"progress": lambda stage: _complain(f"{stage} …")}
            return
        from strandline.progress import stage_bars

        with stage_bars(console) as bars:
            yield {"progress": bars.begin, "on_tile": bars.count}
    except KeyboardInterrupt as interruption:
        # Caught here, since Typer's own handling says nothing and differs between versions.
        kept = getattr(interruption, "__notes__", ["No incomplete results were left behind."])
        _complain(" ".join(["Interrupted.", *kept]))
        terminated = isinstance(interruption, _Terminated)
        raise typer.Exit(EXIT_TERMINATED if terminated else EXIT_INTERRUPTED) from None
