"""A small coverage-guided fuzzer for parsers written in Python.

Inputs that reach lines of the parser in an order not seen before are kept and changed further;
so the search works its way into it, where blind changes would stay at its door. It needs
nothing but the interpreter's own tracing, is bounded by time or runs, and repeats itself under
the same seed as far as runs bound it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

LONGEST = 1 << 15
"""Inputs do not grow beyond so many bytes."""

_Step = tuple[str, int, int]


@dataclass
class Findings:
    """What a search came upon.

    Parameters
    ----------
    runs : int
        How often the parser was called.
    steps : set
        Pairs of lines that followed one another: (file, line before, line).
    corpus : list of bytes
        The inputs that reached new ones.
    crashes : dict
        What escaped the parser though it should not: its kind and place, to the first input.
    """

    runs: int = 0
    steps: set[_Step] = field(default_factory=set)
    corpus: list[bytes] = field(default_factory=list)
    crashes: dict[str, bytes] = field(default_factory=dict)

    @property
    def lines(self) -> set[tuple[str, int]]:
        """Lines that were reached: (file, line)."""
        return {(name, line) for name, _, line in self.steps}


def fuzz(
    parse: Callable[[bytes], Any],
    seeds: Sequence[bytes],
    modules: Sequence[ModuleType],
    *,
    allowed: tuple[type[Exception], ...],
    words: Sequence[bytes] = (),
    seconds: float = 10.0,
    runs: int | None = None,
    seed: int = 0,
    guided: bool = True,
) -> Findings:
    """Search for inputs on which a parser fails otherwise than it may.

    Parameters
    ----------
    parse : callable
        Takes bytes; what it returns does not matter.
    seeds : sequence of bytes
        Sound inputs to begin with.
    modules : sequence of modules
        Whose lines count as reached.
    allowed : tuple of exception classes
        That the parser may raise.
    words : sequence of bytes
        That mean something to the parser, to be put in here and there.
    seconds : float
        When to stop, unless `runs` says.
    runs : int, optional
        After how many calls to stop.
    seed : int
        Of the random choices.
    guided : bool
        False keeps only the seeds: blind changes, to compare with.

    Returns
    -------
    Findings

    Examples
    --------
    >>> import json
    >>> found = fuzz(json.loads, [b'{"a": [1]}'], [json.decoder], allowed=(ValueError,), runs=50)
    >>> found.runs, found.crashes
    (50, {})
    """
    files = frozenset(str(module.__file__) for module in modules)
    chance = random.Random(seed)
    found = Findings()
    waiting = list(seeds)
    ends = time.monotonic() + seconds
    while found.runs < runs if runs is not None else time.monotonic() < ends:
        if waiting:
            data = waiting.pop(0)
        else:
            data = _changed(chance.choice(found.corpus or list(seeds)), chance, found.corpus, words)
        steps, escaped = _traced(parse, data, files, allowed)
        found.runs += 1
        if escaped is not None:
            found.crashes.setdefault(escaped, data)
        new = steps - found.steps
        found.steps |= new
        if (new and guided) or found.runs <= len(seeds):
            found.corpus.append(data)
    return found


def _traced(
    parse: Callable[[bytes], Any],
    data: bytes,
    files: frozenset[str],
    allowed: tuple[type[Exception], ...],
) -> tuple[set[_Step], str | None]:
    """Call the parser, note its steps, and name what escaped it."""
    steps: set[_Step] = set()
    last: dict[int, int] = {}

    def at_line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            here = id(frame)
            steps.add((frame.f_code.co_filename, last.get(here, 0), frame.f_lineno))
            last[here] = frame.f_lineno
        return at_line

    def at_call(frame: FrameType, event: str, _: Any) -> Any:
        # An earlier frame may have had the same address.
        last.pop(id(frame), None)
        return at_line if frame.f_code.co_filename in files else None

    escaped = None
    earlier = sys.gettrace()
    sys.settrace(at_call)
    try:
        parse(data)
    except allowed:
        pass
    except Exception as error:
        escaped = _place(error)
    finally:
        sys.settrace(earlier)
    return steps, escaped


def _place(error: Exception) -> str:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    at = "" if where is None else f" in {where.tb_frame.f_code.co_name}, line {where.tb_lineno}"
    return f"{type(error).__name__}{at}"


def _changed(
    data: bytes, chance: random.Random, others: Sequence[bytes], words: Sequence[bytes]
) -> bytes:
    """Change an input once or a few times."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        _change(content, chance, others, words)
    return bytes(content[:LONGEST])


def _change(
    content: bytearray, chance: random.Random, others: Sequence[bytes], words: Sequence[bytes]
) -> None:
    at = chance.randrange(len(content) + 1)
    span = min(len(content) - at, 1 << chance.randrange(8))
    ways = ["flip", "drop", "repeat", "insert", "line", "join", *["word"] * (2 if words else 0)]
    way = chance.choice(ways)
    if way == "flip" and at < len(content):
        content[at] ^= 1 << chance.randrange(8)
    elif way == "drop":
        del content[at : at + span]
    elif way == "repeat":
        content[at:at] = content[at : at + span] * chance.choice((1, 2, 8))
    elif way == "insert":
        content[at:at] = bytes(chance.choices(b"\0\t\n \"'#&*-.0123456789:=<>[]{}|%\xff", k=3))
    elif way == "word":
        content[at : at + chance.choice((0, span))] = chance.choice(list(words))
    elif way == "line":
        lines = content.split(b"\n")
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first][: chance.choice((0, LONGEST))]
        content[:] = b"\n".join(lines)
    elif others:
        end = chance.choice(list(others))
        content[at:] = end[chance.randrange(len(end) + 1) :]
