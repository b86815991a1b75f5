"""Progress bars in a terminal: one line per stage, filled by the tasks that Dask runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dask.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def stage_bars(console: Console) -> Iterator[StageBars]:
    """Draw a bar per stage.

    Parameters
    ----------
    console : rich.console.Console
        Where to draw.

    Yields
    ------
    StageBars
        Its `begin` is to be called with the name of each stage, its `count` with finished
        tiles.
    """
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[tiles]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars, StageBars(bars) as stages:
        yield stages
        stages.finish()


class StageBars(Callback):
    """Move the current stage's bar on with every task of Dask's local schedulers."""

    def __init__(self, bars: Progress) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # Dask is untyped
            start_state=self._plan, posttask=self._count
        )
        self._bars = bars
        self._stage: Any = None
        self._by_tiles = False

    def begin(self, stage: str) -> None:
        """Complete the current stage's bar and start the next one's."""
        self.finish()
        self._by_tiles = False
        self._stage = self._bars.add_task(stage, total=None, tiles="")

    def count(self, finished: int, total: int) -> None:
        """Fill the current stage's bar by tiles, from now on."""
        self._by_tiles = True
        if self._stage is not None:
            tiles = f"{finished}/{total} tiles"
            self._bars.update(self._stage, completed=finished, total=total, tiles=tiles)

    def finish(self) -> None:
        """Complete the current stage's bar."""
        if self._stage is not None:
            self._bars.update(self._stage, total=1, completed=1, tiles="")

    def _plan(self, dsk: Any, state: Any) -> None:
        if self._stage is not None and not self._by_tiles:
            self._bars.update(
                self._stage, total=len(state["waiting"]) + len(state["ready"]), completed=0
            )

    def _count(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
        if self._stage is not None and not self._by_tiles:
            self._bars.advance(self._stage)
