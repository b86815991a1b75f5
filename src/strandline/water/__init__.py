"""Water: published indices, the decision which classes are water, and the mask."""

from strandline.water.confidence import water_confidence
from strandline.water.fraction import water_fraction
from strandline.water.identify import find_water
from strandline.water.mask import water_mask
from strandline.water.stability import stability_map

__all__ = ["find_water", "stability_map", "water_confidence", "water_fraction", "water_mask"]
