"""What went wrong, as the page tells it."""

from __future__ import annotations

from dataclasses import dataclass

from strandline.app.library import Library
from strandline.errors import StrandlineError


@dataclass(frozen=True)
class Problem:
    """What went wrong, in the parts that an error of ours has.

    Attributes
    ----------
    text : str
    expected, got, remedy : str or None
    kind : str
        Name of the error's class.
    """

    text: str
    expected: str | None = None
    got: str | None = None
    remedy: str | None = None
    kind: str = "StrandlineError"

    @classmethod
    def of(cls, error: BaseException, library: Library) -> Problem:
        """Take an error apart; one that is none of ours is called a fault of this program."""
        if isinstance(error, StrandlineError):
            details = {
                name: library.plainly(text)
                for name in ("expected", "got", "remedy")
                if (text := getattr(error, name)) is not None
            }
            return cls(library.plainly(error.problem), kind=type(error).__name__, **details)
        return cls(
            library.plainly(f"Unexpected {type(error).__name__}: {error}"),
            remedy="This is a fault of Strandline; the server's log has the details.",
            kind=type(error).__name__,
        )
