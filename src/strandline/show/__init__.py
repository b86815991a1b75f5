"""Pictures and charts; the report of a run is in `strandline.show.report`."""

from strandline.show.charts import signature_chart
from strandline.show.display import Stretch, fit_stretch
from strandline.show.maps import (
    before_after,
    change_map,
    false_colour,
    label_map,
    true_colour,
    water_map,
)
from strandline.show.timeline_chart import timeline_chart

__all__ = [
    "Stretch",
    "before_after",
    "change_map",
    "false_colour",
    "fit_stretch",
    "label_map",
    "signature_chart",
    "timeline_chart",
    "true_colour",
    "water_map",
]
