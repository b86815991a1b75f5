"""Text for consoles of any encoding: what a console cannot show is written in plainer letters."""

from __future__ import annotations

import codecs
import sys

HANDLER = "strandline.plain"
"""Name under which `plainer` is registered as an error handler of Python's codecs."""

_PLAIN = str.maketrans(
    {
        "²": "2",
        "³": "3",
        "−": "-",
        "–": "-",
        "—": "-",
        "…": "...",
        "×": "x",
        "·": ".",
        "•": "*",
        "°": " deg",
        "±": "+/-",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "→": "->",
        "Δ": "d",
        "µ": "u",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "✓": "*",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
    }
)
_BRAILLE = range(0x2800, 0x2900)  # the spinner of the progress bars
_BOXES = range(0x2500, 0x25A0)


def plainer(error: UnicodeError) -> tuple[str, int]:
    r"""Replace what an encoding lacks: ² by 2, … by three dots, other letters by their code.

    It has the form of an error handler of Python's codecs.

    Examples
    --------
    >>> prepare_console()
    >>> "118.9 km² − 1 × Озеро…".encode("ascii", HANDLER).decode()
    '118.9 km2 - 1 x \\u041e\\u0437\\u0435\\u0440\\u043e...'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = (_plain(letter) for letter in error.object[error.start : error.end])
    return "".join(letters), error.end


def prepare_console() -> None:
    """Let standard output and error show any text, whatever encoding the console has."""
    codecs.register_error(HANDLER, plainer)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # streams that others put in its place may not have it
            reconfigure(errors=HANDLER)


def _plain(letter: str) -> str:
    if ord(letter) in _BRAILLE:
        return "*"
    if ord(letter) in _BOXES:
        return "-"
    return letter.translate(_PLAIN).encode("ascii", "backslashreplace").decode("ascii")
