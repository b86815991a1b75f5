"""Parameters of a catalogue's sources: their types, defaults and bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from strandline.errors import CatalogError
from strandline.scenes.catalog.text import refuse_code, render


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return operator.index(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise TypeError


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _moment(value: Any) -> pd.Timestamp:
    if isinstance(value, bool | int | float):
        raise TypeError
    moment = pd.Timestamp(value)
    if not isinstance(moment, pd.Timestamp):  # pandas gives NaT for "" and None
        raise TypeError
    return moment


def _sequence(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise TypeError


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "str": _text,
    "unicode": _text,
    "datetime": _moment,
    "list": _sequence,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a catalogue's source.

    Parameters
    ----------
    name : str
    type : {"int", "float", "bool", "str", "unicode", "datetime", "list"}
    description : str
    default
        None if the parameter must be given.
    allowed : tuple or None
        The only values that it may have.
    minimum, maximum
        Inclusive; None for no bound.

    Examples
    --------
    >>> band = Parameter.from_entry("band", {"type": "int", "min": 1, "max": 7}, where="'lake'")
    >>> band.check("4")
    4
    >>> band.check(9)
    Traceback (most recent call last):
    ...
    strandline.errors.CatalogError: The parameter 'band' of 'lake' has a value that is not ...
    """

    name: str
    type: str = "str"
    description: str = ""
    default: Any = None
    allowed: tuple[Any, ...] | None = None
    minimum: Any = None
    maximum: Any = None
    where: str = "the source"

    @classmethod
    def from_entry(cls, name: str, entry: Any, *, where: str) -> Parameter:
        """Read a parameter as the catalogue's YAML describes it.

        Raises
        ------
        CatalogError
            If the type is unknown, or a default or bound is not of that type.
        """
        if not isinstance(entry, Mapping):
            raise CatalogError(
                f"The parameter {name!r} of {where} is malformed.",
                expected="a mapping with type, default, …",
                got=repr(entry),
            )
        kind = str(entry.get("type", "str"))
        if kind not in _CONVERSIONS:
            raise CatalogError(
                f"The parameter {name!r} of {where} has an unknown type.",
                expected=", ".join(_CONVERSIONS),
                got=repr(kind),
            )
        bare = cls(name, kind, str(entry.get("description", "")), where=where)
        allowed = entry.get("allowed")
        if allowed is not None and not isinstance(allowed, list):
            raise CatalogError(
                f"The allowed values of the parameter {name!r} of {where} are malformed.",
                expected="a list",
                got=repr(allowed),
            )
        bounded = replace(
            bare,
            allowed=None if allowed is None else tuple(bare._convert(item) for item in allowed),
            minimum=None if entry.get("min") is None else bare._convert(entry["min"]),
            maximum=None if entry.get("max") is None else bare._convert(entry["max"]),
        )
        default = entry.get("default")
        if default is None:
            return bounded
        refuse_code(default, where=where)
        return replace(bounded, default=bounded.check(render(default, {}, where=where)))

    def _convert(self, value: Any) -> Any:
        try:
            return _CONVERSIONS[self.type](value)
        except (TypeError, ValueError, OverflowError) as error:
            raise CatalogError(
                f"The parameter {self.name!r} of {self.where} has a value of the wrong type.",
                expected=self.type,
                got=f"{value!r} ({type(value).__name__})",
            ) from error

    def check(self, value: Any) -> Any:
        """Convert a value to the parameter's type, if nothing is lost by it.

        Returns
        -------
        int, float, bool, str, pandas.Timestamp or list

        Raises
        ------
        CatalogError
            If the value is of another type, out of bounds, or not among the allowed ones.
        """
        converted = self._convert(value)
        expected = None
        if self.allowed is not None and converted not in self.allowed:
            expected = "one of " + ", ".join(map(repr, self.allowed))
        elif self.minimum is not None and not converted >= self.minimum:
            expected = f"at least {self.minimum!r}"
        elif self.maximum is not None and not converted <= self.maximum:
            expected = f"at most {self.maximum!r}"
        if expected is not None:
            raise CatalogError(
                f"The parameter {self.name!r} of {self.where} has a value that is not allowed.",
                expected=expected,
                got=repr(converted),
            )
        return converted

    def describe(self) -> dict[str, Any]:
        """Everything that is known about the parameter, as intake lists it."""
        facts = {
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "default": self.default,
            "required": self.default is None,
            "allowed": None if self.allowed is None else list(self.allowed),
            "min": self.minimum,
            "max": self.maximum,
        }
        return {key: value for key, value in facts.items() if value is not None}

    def summary(self) -> str:
        """Type and default in a few words."""
        return f"{self.type}, " + (
            "required" if self.default is None else f"default {self.default}"
        )
