"""One page: the views of a session, and what happens when somebody uses them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import panel as pn
from panel.io.document import hold

from strandline.app import parts
from strandline.app.analysis import analyse
from strandline.app.controls import Controls
from strandline.app.job import Job, Workshop
from strandline.app.library import Library
from strandline.app.looks import CONTROL, text_of
from strandline.app.outcome import Outcome
from strandline.app.problem import Problem
from strandline.app.shared import Shared
from strandline.app.state import Session, demo_config
from strandline.app.views import Views
from strandline.errors import StrandlineError

_log = logging.getLogger(__name__)


class Page:
    """What one visitor sees.

    All methods run in the thread of the server; only what `_start` is given does not.

    Parameters
    ----------
    library : Library
    shared : Shared
    workshop : Workshop
        Where work is done.
    """

    def __init__(self, library: Library, shared: Shared, workshop: Workshop) -> None:
        pn.extension("tabulator", "filedropper", notifications=False)
        self.session = Session(library, shared)
        self.job: Job | None = None  # makes the map
        self.aside: Job | None = None  # searches, or writes a file, whatever the map does
        self._workshop = workshop
        self._document: Any = pn.state.curdoc
        self._location = pn.state.location
        self._telling = False
        self._of_address: Problem | None = None
        self._there = False
        self._at: int | str | None = None
        self._waiting: tuple[Any, Job] | None = None
        self.study = pn.pane.HTML("", stylesheets=[parts.STYLE], sizing_mode="stretch_width")
        self.working = pn.pane.HTML("", stylesheets=[parts.STYLE])
        self.cancel = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="Cancel",
            visible=False,
            height=30,
            on_click=lambda _: self._on_cancel(),
        )
        self.messages = pn.Column(sizing_mode="stretch_width")
        self.views = Views(self)
        self.controls = Controls(self)

    def template(self) -> Any:
        """Lay the page out, and begin."""
        template: Any = pn.Template(text_of("page.html"), location=True)
        template.add_variable("style", text_of("page.css"))
        template.title = "Strandline"
        template.add_panel("study", self.study)
        template.add_panel("status", pn.Row(self.working, self.cancel))
        template.add_panel("controls", self.controls.layout)
        template.add_panel("messages", self.messages)
        template.add_panel("main", self.views.layout)
        template.add_panel("hidden", pn.Row(self.controls.download, width=0, height=0))
        self._begin()
        return template

    # --- working ----------------------------------------------------------------

    def run(self, at: int | str | None = None) -> None:
        """Do what the choices ask for; what was being done for earlier ones is given up."""
        self.controls.refresh()
        self._keep_address()
        self.start(self._study, self._came, at)

    def _study(self, job: Job) -> Callable[[], Any]:
        return self.session.work(job, lambda preview: self._later(self._came, preview, job))

    def start(
        self,
        work: Callable[[Job], Callable[[], Any]],
        then: Callable[[Any, Job], None],
        at: int | str | None = None,
    ) -> None:
        """Do some work in another thread, and show how far it is.

        Parameters
        ----------
        work : callable
            Takes the job; returns what is to be done.
        then : callable
            Called, in the thread of the server, with what came out, or the exception.
        at : int or str, optional
            Where on the page it was asked for, as for `choose`.
        """
        self.give_up()
        self.job = self._begin_job(work, then, at)
        self._show_work()
        self._show_lack()

    def start_aside(
        self, work: Callable[[Job], Callable[[], Any]], then: Callable[[Any, Job], None], at: int
    ) -> None:
        """Do some work that has nothing to do with the map: what is done for that goes on.

        Parameters are those of `start`.
        """
        if self.aside is not None:
            self.aside.cancel()
        self.aside = self._begin_job(work, then, at)
        self._show_work()

    def _begin_job(
        self,
        work: Callable[[Job], Callable[[], Any]],
        then: Callable[[Any, Job], None],
        at: int | str | None,
    ) -> Job:
        self._forget_problem(at)
        job = Job(on_change=self._tell)
        job.stage = "waiting for other work to finish"
        self._workshop.do(job, work(job), lambda result: self._later(then, result, job))
        return job

    def give_up(self) -> None:
        """Stop making a map; what is shown stays."""
        if self.job is not None:
            self.job.cancel()
            self.job = None
            self._show_work()

    def _on_cancel(self) -> None:
        """Stop what is being done, and choose again what the map shows."""
        if self.job is None and self.aside is not None:
            self.aside.cancel()
            self.aside = None
            self._show_work()
            return
        self.give_up()
        self._show_lack()
        if self.session.go_back():
            self.controls.refresh()
            self._keep_address()
            self._show_work()

    def attempt(self, change: Callable[[], Any]) -> bool:
        """Make a change to the choices; one that cannot be made is told on the page.

        Returns
        -------
        bool
            Whether anything is different now.
        """
        try:
            return bool(change())
        except StrandlineError as error:
            self.complain(error)
            self.controls.refresh()
            return False

    def choose(self, change: Callable[[], Any], at: int | str | None = None) -> None:
        """Make a change to the choices, and do what follows from it.

        Parameters
        ----------
        change : callable
        at : int or str, optional
            Number of the step, or ``"map"``, whose button or field was used: errors are shown
            beside it.
        """
        self._forget_problem(at)
        if self.attempt(change):
            self.run(at)
        self._show_work()

    def _forget_problem(self, at: int | str | None) -> None:
        """Take an earlier error from the page: something else is tried now."""
        self._at = at
        self.session.problem = self._of_address
        self._show_messages()

    def complain(self, error: BaseException) -> None:
        """Tell what went wrong."""
        if not isinstance(error, StrandlineError):
            _log.error("The app failed", exc_info=error)
        self.session.problem = Problem.of(error, self.session.library)
        self._show_messages()
        self._show_work()

    def done(self, result: Any, job: Job) -> bool:
        """Say that some work came to its end; False if it failed, which is told."""
        if job is self.job:
            self.job = None
        elif job is self.aside:
            self.aside = None
        else:
            return False
        self._show_work()
        if isinstance(result, BaseException):
            self.complain(result)
            self._show_lack()
            return False
        return True

    def _arrived(self) -> None:
        """Show what came before the page was there: it would not have heard of it."""
        self._there = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._came(*waiting)

    def _came(self, result: Any, job: Job) -> None:
        """Show what came out of the work, or a preview of it; what failed is told."""
        if not self._there:
            self._waiting = (result, job)
            return
        goes_on = isinstance(result, Outcome) and result.is_preview
        if not (job is self.job if goes_on else self.done(result, job)):
            return
        self.session.finish(result, job)
        self.session.problem = self._of_address
        if not goes_on:
            self._of_address = None
        # Everything that the page shows changes at once.
        with hold(self._document):
            try:
                self.views.show(result)
                self.study.object = parts.study_title(result)
                self.controls.refresh()
                self._show_messages()
            except Exception as error:  # the page shall say so, and live on
                self.complain(error)
            self._show_work()

    def _later(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call something in the thread of the server; a page that was left hears nothing."""
        with contextlib.suppress(Exception):
            self._document.add_next_tick_callback(lambda: call(*arguments))

    # --- telling ----------------------------------------------------------------

    def _tell(self) -> None:
        """Show progress soon; called in the thread of the work, perhaps often."""
        if not self._telling:
            self._telling = True
            self._later(self._show_work)

    def _show_work(self) -> None:
        self._telling = False
        outcome = self.session.outcome
        old = outcome is not None and outcome.config != self.session.config
        job = self.job or self.aside
        self.working.object = parts.working(job, outcome, self.session.problem, old=old)
        self.cancel.visible = job is not None

    def _show_lack(self) -> None:
        """Say, where there is no map yet, whether one will come."""
        if self.session.outcome is None:
            waiting = self.job is not None
            self.study.object = parts.study_title(None, waiting=waiting)
            self.views.lack(waiting=waiting)

    def _show_messages(self) -> None:
        told = []
        beside = self._at if self.session.problem is not self._of_address else None
        problem = self.session.problem
        self.controls.tell(beside, problem)
        self.views.tell(problem if beside == "map" else None)
        if problem is not None and beside is None:
            told.append(parts.problem_message(problem))
        if self.session.notes:
            told.append(parts.notes_message(self.session.notes))
        self.messages[:] = [
            pn.pane.HTML(html, stylesheets=[parts.STYLE], sizing_mode="stretch_width",
                         margin=(0, 5, 12, 5))
            for html in told
        ]  # fmt: skip

    # --- the address --------------------------------------------------------------

    def _begin(self) -> None:
        self.study.object = parts.study_title(None)
        query = "" if self._location is None else self._location.search
        self.attempt(lambda: self.session.follow(query))
        # What is wrong with the address shall be seen beside the map that comes instead.
        self._of_address = self.session.problem
        self.controls.refresh()
        self.start(self._study, self._came)
        pn.state.onload(self._arrived)
        if self._document is not None:
            self._document.on_session_destroyed(lambda _: self._left())

    def _left(self) -> None:
        """Stop all that is being done: nobody looks at the page any more."""
        for job in (self.job, self.aside):
            if job is not None:
                job.cancel()

    def _keep_address(self) -> None:
        if self._location is not None:
            self._location.search = self.session.address()


def make_demo(library: Library, shared: Shared) -> None:
    """Make the demo's map, so that the first page waits less; draws nothing, for any thread."""
    analyse(demo_config(library), library, shared, Job())
