"""Sentinel-2 products as the European Space Agency delivers them.

`document.py` reads XML and `metadata.py` takes the facts from it, `factors.py` says how the
numbers become reflectance, `safe.py` finds the files and `product.py` tells what they are,
`clouds.py` reads the cloud masks of Level 1C, and `bundle.py` opens a product as a scene.
"""

from strandline.scenes.sentinel.bundle import open_safe
from strandline.scenes.sentinel.factors import msi_factors

__all__ = ["msi_factors", "open_safe"]
