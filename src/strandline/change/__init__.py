"""What changed between two dates, and how much of it there is in km²."""

from strandline.change.area import areas
from strandline.change.compare import compare
from strandline.change.pixel_area import pixel_area

__all__ = ["areas", "compare", "pixel_area"]
