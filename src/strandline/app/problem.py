"""What went wrong, as the page tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from strandline.app.library import Library
from strandline.errors import MissingCRSError, StrandlineError

LABELS = {
    "platform": "Platform",
    "scale": "Scale factor",
    "offset": "Offset",
    "nodata": "Nodata value",
    "band_names": "Band names, in order",
    "n_clusters": "How many",
    "bands": "Bands",
    "n_subclusters": "Number of subclusters",
    "crs": "CRS of the map",
    "resolution": "Pixel size, in units of the map",
    "resampling": "Resampling of scenes on other grids",
    "mask": "Mask pixels flagged as",
    "conflicts": "Where flag and spectrum disagree, trust",
    "seed": "Random seed",
    "water_at": "Point in the lake: longitude, latitude",
    "min_pixels": "Smallest body of water, pixels",
    "harmonize": "Harmonise the sensors",
    "normalize": "Normalise to the first date",
    "correct_shift": "Co-register to the first date",
}
"""What the library's parameters are called on the page."""

UNSAID = "What the file does not state"
"""Under which the page asks how a file is to be read."""

_OF_FILES = {"platform", "scale", "offset", "nodata", "band_names"}
_OWN_WORDS = [
    (r".*\blevel=.*", "Do not tick “{harmonize}”; “{normalize}” works without that."),
    (r".*\.sel\(band=.*", "Leave these bands out of “{bands}”."),
    (r"resolution=… in units of the CRS, or like=.*", "“{resolution}”"),
    (r"^neither, for", "none, for"),
    (r"^help\(.*", ""),
    (r"^The configuration is not valid", "This choice is not valid"),
    (r"\bscenes\[\d\]\.", ""),
    (r" to open_scene\b", ""),
    (r"^Pass ", "Give "),
    (r"pass conflicts='spectrum' \(.*?\)", "choose “the spectrum” under “{conflicts}”"),
    (r"--[a-z-]+ \((\w+)=True\)", r"\1"),
]
"""What cannot be done on the page, or is no sentence there, and what is said of it instead."""

_PARAMETER = (
    r"\b(?P<name>[a-z_]+)=(?:…|(?P<value>'[^']*'|[\w.]+))"
    r"|(?<![\w-])(?P<step>harmonize|normalize|correct_shift)\b"
)


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
            of_file = isinstance(error, MissingCRSError)
            details = {
                name: in_words_of_the_page(library.plainly(text), of_file=of_file)
                for name in ("expected", "got", "remedy")
                if (text := getattr(error, name)) is not None
            }
            problem = in_words_of_the_page(library.plainly(error.problem), of_file=of_file)
            return cls(problem, kind=type(error).__name__, **details)
        return cls(
            library.plainly(f"Unexpected {type(error).__name__}: {error}"),
            remedy="This is a bug in Strandline; the server's log has the details.",
            kind=type(error).__name__,
        )


def in_words_of_the_page(text: str, *, of_file: bool = False) -> str:
    """Call parameters of the library what they are called on the page.

    Parameters
    ----------
    text : str
        Of an error or a warning.
    of_file : bool
        Whether a CRS that it speaks of is that of a file, not of the map.

    Examples
    --------
    >>> in_words_of_the_page("Pass platform=… to open_scene.")
    'Give “Platform” (under “What the file does not state”).'
    >>> in_words_of_the_page("Use normalize, which finds them in the scenes themselves.")
    'Use “Normalise to the first date”, which finds them in the scenes themselves.'
    """
    for pattern, words in _OWN_WORDS:
        text = re.sub(pattern, words.format(**LABELS) if "{" in words else words, text)

    def label(found: re.Match[str]) -> str:
        name = found["name"] or found["step"]
        if name == "crs" and of_file:
            return f"“CRS” (under “{UNSAID}”)"
        if name not in LABELS:
            return found[0]
        place = f" (under “{UNSAID}”)" if name in _OF_FILES else ""
        value = found["value"]
        return f"“{LABELS[name]}”{place}" + (f" {value}" if value not in (None, "True") else "")

    return re.sub(_PARAMETER, label, text)
