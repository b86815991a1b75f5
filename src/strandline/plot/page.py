"""A picture as a page of its own, with all that it needs inside."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from strandline.plot.engine import holoviews

MOST_VALUES = 16_000_000
"""Pixels in a page, over all that can be chosen in it: some forty megabytes, packed."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{scripts}
</head>
<body>
{notes}{division}
{script}
</body>
</html>
"""

# What the page begins with is kept when something else is chosen for the first time.
_CHOOSE = """
let first = null
export default ({models, states}, select) => {
  const now = () => models.map((model, n) =>
    Object.fromEntries(Object.keys(states[0][n]).map((name) => [name, model[name]])))
  if (first == null) first = now()
  const chosen = select.options.indexOf(select.value)
  const state = chosen == 0 ? first : states[chosen - 1]
  models.forEach((model, n) => {
    const {data, ...rest} = state[n]
    if (data != null) model.data = data instanceof Map ? Object.fromEntries(data) : data
    model.setv(rest)
  })
}
"""


def page_of(picture: Any, title: str = "Strandline") -> str:
    """Make a page that shows a picture without a server and without a network.

    What can be chosen, as the bands of `strandline.plot.bands`, can be chosen in the page: it
    holds all of it, as long as that is at most 16 million pixels over all dates and bands. If it
    is more, or if there is more than one thing to choose, the page has the first alone, and says
    so. What is read on zoom needs a server: of a large raster the page has the overview, and says
    so, too.

    Parameters
    ----------
    picture : HoloViews object
        From `strandline.plot`.
    title : str
        Of the page.

    Returns
    -------
    str
        HTML, with Bokeh's scripts in it.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.

    Notes
    -----
    ``holoviews.save`` writes pages that load their scripts from a server on the web, and that
    have no more than the first band: use this, or `strandline.export.write_picture`.
    """
    hv = holoviews("page_of")
    from bokeh.embed import components
    from bokeh.resources import Resources

    plot = hv.renderer("bokeh").get_plot(picture)
    figure, notes = _with_choice(plot)
    if picture.traverse(lambda one: one, [lambda one: bool(getattr(one, "streams", None))]):
        notes.append(
            "This page holds an overview of a large raster. Zooming in shows more only in a "
            "notebook, or where the picture is served."
        )
    # Bokeh's own function for whole pages lets Panel add scripts that lie on other servers.
    script, division = components(figure)
    parts = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw
    scripts = "\n".join(f"<script>\n{part}\n</script>" for part in parts)
    told = "".join(f'<p style="font: 13px sans-serif">{escape(note)}</p>\n' for note in notes)
    return _PAGE.format(
        title=escape(title), scripts=scripts, notes=told, script=script, division=division
    )


def _with_choice(plot: Any) -> tuple[Any, list[str]]:
    """Add what lets the reader choose, and all there is to choose from; or say why it is not there.

    Parameters
    ----------
    plot : HoloViews plot
        If its picture has a dimension to choose by, drawn for the first of its values.

    Returns
    -------
    model : Bokeh model
    notes : list of str
    """
    from bokeh.layouts import column
    from bokeh.models import CustomJS
    from bokeh.models.widgets import Div, Select

    # HoloViews gives a picture without any choice a dimension without values.
    dimensions = [dimension for dimension in plot.dimensions if dimension.values]
    if not dimensions:
        return plot.state, []
    name, values = str(dimensions[0]), list(dimensions[0].values)
    held = sum(np.size(image) for source in _sources(plot) for image in source.data["image"])
    large = held * len(values) > MOST_VALUES
    if large or len(dimensions) > 1:
        first = ", ".join(f"{dimension} {dimension.values[0]}" for dimension in dimensions)
        why = f", as all {len(values)} would make it too large" if large else ""
        return plot.state, [
            f"Only {first} is in this page{why}. In a notebook, or where the picture is served, "
            "any can be chosen."
        ]
    models = _changing(plot)
    states = []
    for value in values[1:]:
        plot.update((value,))
        states.append([_state(model) for model in models])
    plot.update((values[0],))
    options: Any = [str(value) for value in values]
    select = Select(title=name, options=options, value=options[0])
    if states:
        args = {"models": models, "states": states}
        select.js_on_change("value", CustomJS(args=args, code=_CHOOSE))
    for heading in plot.state.select({"type": Div}):  # it would say what the selector says
        heading.visible = False
    return column(select, plot.state), []


def _sources(plot: Any) -> list[Any]:
    """Find what holds the pixels of images."""
    from bokeh.models import ColumnDataSource

    found = plot.state.select({"type": ColumnDataSource})
    return [source for source in found if "image" in source.data]


def _changing(plot: Any) -> list[Any]:
    """Find all that is different where something else is chosen."""
    from bokeh.models import LinearColorMapper
    from bokeh.models.annotations import Title

    kinds = (Title, LinearColorMapper)
    return [*_sources(plot), *(m for kind in kinds for m in plot.state.select({"type": kind}))]


def _state(model: Any) -> dict[str, Any]:
    """Take down what a model shows now."""
    names = {"ColumnDataSource": ("data",), "Title": ("text",)}.get(
        type(model).__name__, ("low", "high")
    )
    found = {name: getattr(model, name) for name in names}
    return {**found, "data": dict(found["data"])} if "data" in found else found
