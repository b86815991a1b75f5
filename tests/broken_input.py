"""How the bench of broken inputs judges: the same checks for every row of its tables."""

from __future__ import annotations

import pickle
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import strandline as sl
from strandline.errors import StrandlineError

SECONDS = 60  # bounded, also on a busy machine; what hangs takes longer
BYTES = 200 << 20


@dataclass(frozen=True)
class Row:
    """A broken input."""

    name: str
    make: Callable[[Path], Any]
    error: type[StrandlineError]
    options: dict[str, Any] = field(default_factory=dict)


def check(error: BaseException, expected: type[StrandlineError]) -> None:
    """Whether an error is of its own class and says what is wrong and what to do."""
    assert type(error) is expected, f"{type(error).__name__}: {error}"
    assert error.problem.rstrip().endswith((".", "!")), error.problem
    assert len(error.problem) < 600, "nobody reads that"
    assert error.remedy or (error.expected and error.got), f"says not what to do: {error}"
    assert pickle.loads(pickle.dumps(error)).args == error.args


def fails(
    call: Callable[[], Any], expected: type[StrandlineError], seconds: float = SECONDS
) -> None:
    """Whether a call ends in the error, within time and memory."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(StrandlineError) as caught:
            call()
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < seconds
    assert used < BYTES
    check(caught.value, expected)


def read(source: Any, **options: Any) -> Any:
    return sl.open_scene(source, **options).compute()


def rows(table: list[Row]) -> Any:
    assert len({row.name for row in table}) == len(table)
    return pytest.mark.parametrize("row", table, ids=[row.name for row in table])
