"""Pictures to move in, as HoloViews objects: hover, zoom, all dates at once.

Needs the extra ``viz``; `strandline.show` draws pictures that do
not move without it. In a notebook an object shows itself, Panel serves it, and
`strandline.export.write_picture` writes it as a page that needs neither server nor network. No
page asks another server for anything unless ``tiles=`` says so. (In a notebook, Panel, which shows
the object there, links a style sheet of its own on the web; the picture does not need it.)
"""

from strandline.plot.charts import signatures
from strandline.plot.classes import change_map, label_map, water_map
from strandline.plot.engine import warm_up
from strandline.plot.page import page_of
from strandline.plot.reflectance import bands, false_colour, true_colour
from strandline.plot.swipe import swipe

__all__ = [
    "bands",
    "change_map",
    "false_colour",
    "label_map",
    "page_of",
    "signatures",
    "swipe",
    "true_colour",
    "warm_up",
    "water_map",
]
