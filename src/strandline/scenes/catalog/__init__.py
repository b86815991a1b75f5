"""Intake's version-1 catalogues, read without intake.

A catalogue is a YAML file that names data sources and says how to open each.
Sources of rasters open as intake-xarray opened them, with dims (band, y, x)
and the values that the files store; `Source.to_scene` goes on from there to
reflectance.
"""

from strandline.scenes.catalog.document import Catalog, open_catalog
from strandline.scenes.catalog.source import Source

__all__ = ["Catalog", "Source", "open_catalog"]
