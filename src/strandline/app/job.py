"""Work in a thread of its own: how far it is, what it said, and how to stop it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TextIO

from dask.callbacks import Callback

from strandline.errors import StrandlineWarning
from strandline.spectral.tiles import looking_up

AT_ONCE = 4
"""Pieces of work that run at the same time; further ones wait for their turn."""

_STEP = 0.02  # of a stage, between two reports

_current = threading.local()


class Cancelled(BaseException):
    """The work was given up by the one who asked for it."""


class Job:
    """One piece of work.

    Parameters
    ----------
    on_change : callable, optional
        Called, in the thread of the work, when `stage` or `fraction` have changed.

    Attributes
    ----------
    stage : str
        What is being done.
    fraction : float or None
        How much of the stage is done, 0 to 1, if that is known.
    notes : list of str
        Warnings that the work raised.
    """

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self.stage = ""
        self.fraction: float | None = None
        self.notes: list[str] = []
        self._on_change = on_change or (lambda: None)
        self._given_up = threading.Event()
        self._tasks = (0, 0)
        self._hearing = [self.notes]

    def begin(self, stage: str) -> None:
        """Say that a stage begins; a job that was cancelled ends here."""
        self._stop_if_cancelled()
        self.stage, self.fraction, self._tasks = stage, None, (0, 0)
        self._on_change()

    def count(self, finished: int, total: int) -> None:
        """Say how much of the stage is done."""
        self._stop_if_cancelled()
        if not total:
            return
        done = min(finished / total, 1.0)
        # A page need not hear of every one of ten thousand tasks.
        if self.fraction is None or not 0 <= done - self.fraction < _STEP:
            self.fraction = done
            self._on_change()

    def cancel(self) -> None:
        """Give the work up: it ends at its next step, and nobody waits for it."""
        self._given_up.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self._given_up.is_set()

    def note(self, text: str) -> None:
        """Take down what was warned of; the same is not said twice."""
        for notes in self._hearing:
            if text not in notes:
                notes.append(text)

    @contextmanager
    def noting(self) -> Iterator[list[str]]:
        """Collect what is warned of in a part of the work, known already or not."""
        notes: list[str] = []
        self._hearing = [*self._hearing, notes]
        try:
            yield notes
        finally:
            self._hearing = [heard for heard in self._hearing if heard is not notes]

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Take nothing down in a part of the work whose result will not stay."""
        heard, self._hearing = self._hearing, []
        try:
            yield
        finally:
            self._hearing = heard

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let Dask's tasks, warnings and tiles of this thread belong to this job."""
        _current.job = self
        try:
            with looking_up(self._stop_if_cancelled):
                yield
        finally:
            _current.job = None

    def _stop_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled

    def _plan(self, tasks: int) -> None:
        self._tasks = (0, tasks)

    def _task_done(self) -> None:
        finished, total = self._tasks
        self._tasks = (finished + 1, total)
        self.count(finished + 1, total)


class _TasksOfJobs(Callback):
    """Tell each job of its own tasks: Dask calls back in the thread that waits for them."""

    def __init__(self) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # Dask is untyped
            start_state=self._plan, posttask=self._count
        )

    def _plan(self, dsk: Any, state: Any) -> None:
        job = getattr(_current, "job", None)
        if job is not None:
            job._plan(len(state["waiting"]) + len(state["ready"]))

    def _count(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
        job = getattr(_current, "job", None)
        if job is not None:
            job._task_done()


class Workshop:
    """The threads in which a server works; as a context, it listens to tasks and warnings."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="strandline-app")
        self._listener = _TasksOfJobs()
        self._show = warnings.showwarning

    def __enter__(self) -> Workshop:
        self._show = warnings.showwarning
        warnings.showwarning = self._note
        warnings.simplefilter("always", StrandlineWarning)
        self._listener.register()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.unregister()
        warnings.showwarning = self._show
        self._threads.shutdown(wait=False, cancel_futures=True)

    def do(self, job: Job, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do some work in one of the threads.

        Parameters
        ----------
        job : Job
            That the work belongs to.
        work : callable
            Without arguments.
        then : callable
            Called in that thread with what the work returned, or with the exception that it
            raised. A job that was cancelled is not heard of again.
        """

        def run() -> None:
            try:
                with job.running():
                    job.begin(job.stage)
                    outcome = work()
            except Cancelled:
                return
            except Exception as error:
                outcome = error
            if not job.cancelled:
                then(outcome)

        self._threads.submit(run)

    def _note(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        job = getattr(_current, "job", None)
        if job is not None and issubclass(category, StrandlineWarning):
            job.note(str(message))
        else:
            self._show(message, category, filename, lineno, file, line)
