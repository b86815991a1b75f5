"""What changed between two dates, how much of it there is in km², and where its outline runs."""

from strandline.change.area import areas
from strandline.change.compare import compare
from strandline.change.pixel_area import pixel_area
from strandline.change.polygon import water_polygons
from strandline.change.shoreline import shorelines

__all__ = ["areas", "compare", "pixel_area", "shorelines", "water_polygons"]
