"""The MTL file that comes with every Landsat product: groups of keys and values.

Three spellings of one thing: ODL text, XML, JSON. Keys repeat over groups (a
Collection 2 Level 2 file has the Level 1 factors too), so they are kept by group.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from strandline.errors import MetadataError
from strandline.scenes.numerals import to_number

_ROOTS = ("LANDSAT_METADATA_FILE", "L1_METADATA_FILE", "LANDSAT_METADATA")


@dataclass(frozen=True)
class Metadata:
    """A parsed MTL file.

    Parameters
    ----------
    source : str
        Where it was read from, for messages.
    groups : dict
        Group name to its keys and values, all as text without quotes.
    """

    source: str
    groups: dict[str, dict[str, str]]

    @property
    def collection(self) -> str | None:
        """Either "01", "02", or None for products from before the collections."""
        return self.find("COLLECTION_NUMBER", "PRODUCT_CONTENTS", "METADATA_FILE_INFO")

    def find(self, key: str, *groups: str) -> str | None:
        """Value of `key` in the first of `groups` that has it, or None."""
        for group in groups:
            if key in self.groups.get(group, {}):
                return self.groups[group][key]
        return None

    def text(self, key: str, *groups: str) -> str:
        """Value of `key` in the first of `groups` that has it.

        Raises
        ------
        MetadataError
            If none of the groups has it.
        """
        value = self.find(key, *groups)
        if value is None:
            there = [group for group in groups if group in self.groups]
            raise MetadataError(
                f"{self.source!r} has no {key}.",
                expected=f"it in the group {' or '.join(groups)}",
                got="that group without it" if there else "no such group",
                remedy="The file may be cut or belong to another product.",
            )
        return value

    def number(self, key: str, *groups: str) -> float:
        """Value of `key` as a finite number.

        Raises
        ------
        MetadataError
            If it is absent or no number.
        """
        return to_number(self.text(key, *groups), key, self.source)

    def acquired(self) -> datetime:
        """Time of the scene's centre, UTC.

        Raises
        ------
        MetadataError
            If the date is absent or no date.
        """
        groups = ("IMAGE_ATTRIBUTES", "PRODUCT_METADATA")
        day = self.text("DATE_ACQUIRED", *groups)
        clock = (self.find("SCENE_CENTER_TIME", *groups) or "00:00:00").strip("Z")
        whole, _, fraction = clock.partition(".")
        try:
            return datetime.fromisoformat(f"{day}T{whole}.{(fraction + '000000')[:6]}")
        except ValueError as error:
            raise MetadataError(
                f"{self.source!r} has no usable date.",
                expected="DATE_ACQUIRED as yyyy-mm-dd and SCENE_CENTER_TIME as hh:mm:ss",
                got=f"{day!r} and {clock!r}",
            ) from error


def parse_metadata(content: str, source: str) -> Metadata:
    r"""Parse the content of an MTL file.

    Parameters
    ----------
    content : str
        Of a ``_MTL.txt``, ``_MTL.xml`` or ``_MTL.json`` file.
    source : str
        Its name, for messages.

    Returns
    -------
    Metadata

    Raises
    ------
    MetadataError
        If it is cut, its groups do not close, or it is not an MTL file.

    Examples
    --------
    >>> odl = 'GROUP = L1_METADATA_FILE\n GROUP = A\n  KEY = "x"\n END_GROUP = A\n'
    >>> parse_metadata(odl + "END_GROUP = L1_METADATA_FILE\nEND", "a_MTL.txt").text("KEY", "A")
    'x'
    """
    content = content.strip("\x00 \t\r\n\ufeff")
    if content.startswith("<"):
        root, tree = _from_xml(content, source)
    elif content.startswith("{"):
        root, tree = _from_json(content, source)
    else:
        root, tree = _from_odl(content, source)
    if root not in _ROOTS:
        raise MetadataError(
            f"{source!r} is not a Landsat MTL file.",
            expected=f"the outermost group {' or '.join(_ROOTS[:2])}",
            got=root or "no group",
        )
    groups = {
        name: {key: _plain(value) for key, value in group.items() if not isinstance(value, Mapping)}
        for name, group in tree.items()
        if isinstance(group, Mapping)
    }
    if not groups:
        raise MetadataError(f"{source!r} has no groups in {root}.", remedy="The file may be cut.")
    return Metadata(source, groups)


def _plain(value: object) -> str:
    return "" if value is None else str(value).strip().strip('"')


def _from_json(content: str, source: str) -> tuple[str, dict[str, Any]]:
    try:
        parsed = json.loads(content)
        (root,) = parsed
        return str(root), dict(parsed[root])
    except (ValueError, TypeError, RecursionError) as error:
        raise _cut(source, f"JSON that ends well ({error})") from error


def _from_xml(content: str, source: str) -> tuple[str, dict[str, Any]]:
    try:
        top = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise _cut(source, f"XML that ends well ({error})") from error
    return top.tag, {
        group.tag: {item.tag: item.text or "" for item in group} for group in top if len(group)
    }


def _from_odl(content: str, source: str) -> tuple[str, dict[str, Any]]:
    tree: dict[str, Any] = {}
    around = [("", tree)]  # the groups that are open, the innermost last
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.strip().strip("\x00")
        if not line:
            continue
        if line == "END":
            break
        key, equals, value = (part.strip() for part in line.partition("="))
        name, group = around[-1]
        if not equals:
            raise _cut(source, f"KEY = VALUE on line {number}", repr(line[:60]))
        if key == "GROUP":
            if value in group:
                raise MetadataError(f"{source!r} has the group {value} twice (line {number}).")
            group[value] = {}
            around.append((value, group[value]))
        elif key == "END_GROUP":
            if len(around) == 1 or name != value:
                wanted = f"END_GROUP = {name}" if len(around) > 1 else "no END_GROUP"
                raise _cut(source, f"{wanted} on line {number}", f"END_GROUP = {value}")
            around.pop()
        elif len(around) == 1:
            raise _cut(source, f"GROUP = … on line {number}", repr(line[:60]))
        elif group.get(key, _plain(value)) != _plain(value):
            raise MetadataError(
                f"{source!r} contradicts itself: {key} has two values in {name}.",
                got=f"{group[key]} and {_plain(value)}",
            )
        else:
            group[key] = _plain(value)
    if len(around) > 1:
        raise _cut(source, f"END_GROUP = {around[-1][0]}", "the end of the file")
    root = next(iter(tree), "")
    return root, tree.get(root, {})


def _cut(source: str, expected: str, got: str | None = None) -> MetadataError:
    return MetadataError(
        f"The metadata file {source!r} cannot be parsed.",
        expected=expected,
        got=got,
        remedy="It is cut or damaged: fetch it again.",
    )
