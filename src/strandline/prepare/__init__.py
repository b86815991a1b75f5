"""Bring scenes onto one grid, and images into the table of samples that the engine takes."""

from strandline.prepare.grid import make_grid
from strandline.prepare.resample import regrid
from strandline.prepare.samples import to_image, to_samples
from strandline.prepare.stack import stack_scenes
from strandline.prepare.standardize import Standardizer, standardize

__all__ = [
    "Standardizer",
    "make_grid",
    "regrid",
    "stack_scenes",
    "standardize",
    "to_image",
    "to_samples",
]
