"""XML from strangers, read without document types and entities.

Neither its size, its depth nor the number of its elements is left to whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from strandline.errors import MetadataError, UnknownProductError
from strandline.scenes.numerals import to_number

LARGEST = 32 * 2**20
"""Characters: the largest real ones, of old products with dozens of tiles, have a third."""

_DEEPEST, _MOST = 64, 1_000_000


@dataclass(frozen=True)
class Leaf:
    """An element with its text, its attributes, and its parent's attributes."""

    tag: str
    text: str
    attributes: Mapping[str, str]
    around: Mapping[str, str]


@dataclass
class Document:
    """Elements in the order of the file, by local name."""

    source: str
    root: str = ""
    leaves: list[Leaf] = field(default_factory=list)

    def find(self, *tags: str, resolution: int | None = None) -> str | None:
        """Text of the one element with one of the tags; None where there is none.

        Raises
        ------
        MetadataError
            If there are several that say different things.
        """
        found = {
            leaf.text
            for leaf in self.leaves
            if leaf.tag in tags
            and (resolution is None or leaf.around.get("resolution") == str(resolution))
        }
        if len(found) > 1:
            raise MetadataError(
                f"{self.source!r} contradicts itself: {tags[0]} has several values.",
                expected="one",
                got=", ".join(sorted(found)[:3]),
            )
        return next(iter(found), None)

    def text(self, *tags: str, resolution: int | None = None) -> str:
        """Text of the one element with one of the tags.

        Raises
        ------
        MetadataError
            If there is none, or it is empty.
        """
        value = self.find(*tags, resolution=resolution)
        if not value:
            of = "" if resolution is None else f" for the {resolution} m grid"
            raise MetadataError(
                f"{self.source!r} has no {tags[0]}{of}.",
                expected=f"an element {' or '.join(tags)}",
                got="none" if value is None else "an empty one",
                remedy="The file may be cut or belong to another product.",
            )
        return value

    def number(self, *tags: str, resolution: int | None = None) -> float:
        """Value of the one element with one of the tags, as a finite number."""
        return to_number(self.text(*tags, resolution=resolution), tags[0], self.source)

    def resolutions(self) -> list[int]:
        """Pixel sizes of the grids that are described."""
        written = {leaf.around.get("resolution", "") for leaf in self.leaves if leaf.tag == "NROWS"}
        return sorted(int(text) for text in written if text in ("10", "20", "60"))


def read_document(content: str, source: str, root: re.Pattern[str], named: str) -> Document:
    """Read an XML file.

    Parameters
    ----------
    content : str
    source : str
        Its name, for messages.
    root : pattern
        Of the outermost element's local name.
    named : str
        What that is, for messages.

    Returns
    -------
    Document

    Raises
    ------
    MetadataError
        If it is damaged, too large, or asks for a document type.
    UnknownProductError
        If it is another kind of file.

    Examples
    --------
    >>> read_document("<n:a><b>1</b></n:a>", "a.xml", re.compile("a"), "an a").text("b")
    '1'
    """
    if len(content) > LARGEST:
        raise MetadataError(
            f"The metadata file {source!r} is too large to be one.",
            expected=f"at most {LARGEST // 2**20} MB",
            got=f"{len(content) / 2**20:.0f} MB",
        )
    reader = _Reader(source, root, named)
    parser = expat.ParserCreate("utf-8")  # whatever the file claims: it has been decoded
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        # Lone surrogates, which a careless decoder leaves, are not UTF-8.
        parser.Parse(content.strip("\x00 \t\r\n\ufeff").encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise MetadataError(
            f"The metadata file {source!r} cannot be parsed.",
            expected="XML that ends well",
            got=str(error),
            remedy="It is cut or damaged: fetch it again.",
        ) from error
    return reader.document


class _Reader:
    """Collects the elements of one file while it is parsed."""

    def __init__(self, source: str, root: re.Pattern[str], named: str) -> None:
        self.document = Document(source)
        self._pattern, self._named = root, named
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._count = 0

    def refuse(self, *_: Any) -> None:
        raise MetadataError(
            f"The metadata file {self.document.source!r} declares a document type.",
            expected="XML without one, as all products have it",
            got="a DOCTYPE, which could name other files or grow without end",
            remedy="Do not trust it.",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rsplit(":", 1)[-1]
        if not self._open:
            self._root(tag)
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST:
            raise MetadataError(
                f"The metadata file {self.document.source!r} is not a product's.",
                expected=f"at most {_MOST} elements, {_DEEPEST} deep",
                got="more",
            )
        self._open.append((tag, attributes))
        self._text.clear()
        if tag == "Spectral_Information":
            self.document.leaves.append(Leaf(tag, "", attributes, {}))

    def _root(self, tag: str) -> None:
        if not self._pattern.fullmatch(tag):
            raise UnknownProductError(
                f"{self.document.source!r} is not what its name says.",
                expected=f"the root element {self._named}",
                got=tag[:60],
            )
        self.document.root = tag

    def characters(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        tag, attributes = self._open.pop()
        # Lists of angles are long, and nobody asks for them.
        if tag not in ("VALUES", "Values_List", "VALUE"):
            around = self._open[-1][1] if self._open else {}
            text = "".join(self._text).strip()
            self.document.leaves.append(Leaf(tag, text, attributes, around))
        self._text.clear()
