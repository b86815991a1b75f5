"""Segmentation: one model for all dates, labels that mean the same on each of them.

`segment.py` turns scenes into a label map, `subclusters.py` divides clusters where more
detail is needed, `signatures.py` sums up what clusters look like, and `model.py` keeps
all that labels depend on, to be applied to new scenes or written to a file. `again.py`
segments otherwise, to see what depends on chance.
"""

from strandline.segmentation.again import segment_again
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.segment import fit_segmentation, segment

__all__ = ["SegmentationModel", "fit_segmentation", "segment", "segment_again"]
