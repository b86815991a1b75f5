"""Make scenes comparable, bring them onto one grid, and into the engine's table of samples."""

from strandline.prepare.bandpass import harmonize
from strandline.prepare.grid import make_grid
from strandline.prepare.invariant import Normalization, normalization, normalize
from strandline.prepare.resample import regrid
from strandline.prepare.samples import to_image, to_samples
from strandline.prepare.shift import Shift, correct_shift, estimate_shift
from strandline.prepare.stack import stack_scenes
from strandline.prepare.standardize import Standardizer, standardize

__all__ = [
    "Normalization",
    "Shift",
    "Standardizer",
    "correct_shift",
    "estimate_shift",
    "harmonize",
    "make_grid",
    "normalization",
    "normalize",
    "regrid",
    "stack_scenes",
    "standardize",
    "to_image",
    "to_samples",
]
