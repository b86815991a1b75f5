"""A picture as a page of its own, with all that it needs inside."""

from __future__ import annotations

from html import escape
from typing import Any

from strandline.show.interactive.engine import holoviews

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{scripts}
</head>
<body>
{division}
{script}
</body>
</html>
"""


def page_of(picture: Any, title: str = "Strandline") -> str:
    """Make a page that shows a picture without a server and without a network.

    What is read on zoom needs a server: of a large raster the page has the overview, and of
    `strandline.plot.bands` the first band.

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
    """
    hv = holoviews("page_of")
    from bokeh.embed import components
    from bokeh.resources import Resources

    figure = hv.render(picture, backend="bokeh")
    # Bokeh's own function for whole pages lets Panel add scripts that lie on other servers.
    script, division = components(figure)
    parts = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw
    scripts = "\n".join(f"<script>\n{part}\n</script>" for part in parts)
    return _PAGE.format(title=escape(title), scripts=scripts, script=script, division=division)
