"""What several pages of one server may need: each thing is made once, by whoever asks first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from strandline.app.job import Job

KEPT_RESULTS = 3
"""Things of each kind that a server keeps for whoever asks for the same again."""


class _Kept(NamedTuple):
    """A thing, and what was warned of when it was made."""

    thing: Any
    notes: tuple[str, ...]


class Shared:
    """Things by kind and key, the latest of each kind.

    Parameters
    ----------
    most : int
        How many of a kind are kept.
    """

    def __init__(self, most: int = KEPT_RESULTS) -> None:
        self._most = most
        self._kept: dict[str, OrderedDict[Any, _Kept]] = {}
        self._making: dict[Any, threading.Lock] = {}
        self._access = threading.Lock()

    def get(self, kind: str, key: Any, make: Callable[[], Any], job: Job) -> Any:
        """Give a thing of a kind, made now if it is not kept.

        The job is told what was warned of when it was made, whoever made it.
        """
        found = self._look(kind, key)
        if found is None:
            with self._only_one((kind, key)):
                found = self._look(kind, key)
                if found is None:
                    found = self._make(kind, key, make, job)
        for note in found.notes:
            job.note(note)
        return found.thing

    def has(self, kind: str, key: Any) -> bool:
        """Whether a thing is kept."""
        return self._look(kind, key) is not None

    def _make(self, kind: str, key: Any, make: Callable[[], Any], job: Job) -> _Kept:
        with job.noting() as notes:
            thing = make()
        found = _Kept(thing, tuple(notes))
        with self._access:
            things = self._kept.setdefault(kind, OrderedDict())
            things[key] = found
            while len(things) > self._most:
                things.popitem(last=False)
        return found

    def _look(self, kind: str, key: Any) -> _Kept | None:
        with self._access:
            things = self._kept.get(kind, OrderedDict())
            if key in things:
                things.move_to_end(key)
                return things[key]
        return None

    @contextmanager
    def _only_one(self, key: Any) -> Iterator[None]:
        with self._access:
            lock = self._making.setdefault(key, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._access:
                self._making.pop(key, None)
