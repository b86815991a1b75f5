"""Water: published indices, the decision which classes are water, and the mask."""

from strandline.water.fraction import water_fraction
from strandline.water.identify import find_water
from strandline.water.mask import water_mask

__all__ = ["find_water", "water_fraction", "water_mask"]
