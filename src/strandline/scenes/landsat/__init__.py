"""Landsat products as the U.S. Geological Survey delivers them.

`files.py` lists the files of a product by their `naming.py`, `archive.py` those in a tar.
`mtl.py` parses the metadata file, `product.py` tells what a product is from it and
from its files' names, and `bundle.py` opens the product as a scene.
"""

from strandline.scenes.landsat.bundle import open_bundle

__all__ = ["open_bundle"]
