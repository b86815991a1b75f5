"""Water and land cover from satellite scenes, without training data.

The stages, in their order; each takes what the one before returns:

    search_scenes                                what archives have of a place and time
    open_scene, open_catalog, simulate_scene     a scene: reflectance by band, y, x
    check_scene                                  is it reflectance of these bands
    harmonize, normalize                         comparable reflectance, whatever the sensor
    estimate_shift, correct_shift                two dates that lie apart by part of a pixel
    count_quality, quality_table                 what was not observed, and why
    make_grid, regrid, stack_scenes              several dates on one grid
    segment                                      clusters of spectra, one model for all dates
    find_water, water_mask, water_fraction       which clusters are water, and why
    water_confidence                             how sure that is, pixel by pixel
    segment_again, stability_map                 what depends on chance
    compare, areas                               what changed, in km²
    assess                                       how well a map agrees with a reference
    timeline                                     many dates: how much, how often, since when
    shorelines, water_polygons                   the outline of water, as geometries
    plot, show, report, run_study                pictures, and results to read and replay

>>> import strandline as sl
>>> scene, truth = sl.simulate_scene("2017-10-22", size=(200, 200), resolution=150)
>>> water = sl.water_mask(sl.segment(scene))
>>> water.dims
('y', 'x')
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strandline.accuracy import assess as assess
    from strandline.change import areas as areas
    from strandline.change import compare as compare
    from strandline.change import shorelines as shorelines
    from strandline.change import water_polygons as water_polygons
    from strandline.change.timeline import timeline as timeline
    from strandline.export.model import load_model as load_model
    from strandline.export.model import save_model as save_model
    from strandline.prepare import Normalization as Normalization
    from strandline.prepare import Shift as Shift
    from strandline.prepare import correct_shift as correct_shift
    from strandline.prepare import estimate_shift as estimate_shift
    from strandline.prepare import harmonize as harmonize
    from strandline.prepare import make_grid as make_grid
    from strandline.prepare import normalization as normalization
    from strandline.prepare import normalize as normalize
    from strandline.prepare import regrid as regrid
    from strandline.prepare import stack_scenes as stack_scenes
    from strandline.prepare import standardize as standardize
    from strandline.prepare import to_image as to_image
    from strandline.prepare import to_samples as to_samples
    from strandline.scenes import check_scene as check_scene
    from strandline.scenes import count_quality as count_quality
    from strandline.scenes import open_catalog as open_catalog
    from strandline.scenes import open_scene as open_scene
    from strandline.scenes import quality_table as quality_table
    from strandline.scenes import search_scenes as search_scenes
    from strandline.scenes import simulate_scene as simulate_scene
    from strandline.segmentation import segment as segment
    from strandline.segmentation import segment_again as segment_again
    from strandline.show.report import report as report
    from strandline.spectral import SpectralClustering as SpectralClustering
    from strandline.study import StudyConfig as StudyConfig
    from strandline.study import run_study as run_study
    from strandline.water import find_water as find_water
    from strandline.water import stability_map as stability_map
    from strandline.water import water_confidence as water_confidence
    from strandline.water import water_fraction as water_fraction
    from strandline.water import water_mask as water_mask

__version__ = version("strandline")

_PICTURES = ("plot", "show")

# Where each public name lives; imported when first used, so that `import strandline` is light.
_HOMES = {
    "Normalization": "strandline.prepare",
    "Shift": "strandline.prepare",
    "SpectralClustering": "strandline.spectral",
    "StudyConfig": "strandline.study",
    "areas": "strandline.change",
    "assess": "strandline.accuracy",
    "check_scene": "strandline.scenes",
    "compare": "strandline.change",
    "correct_shift": "strandline.prepare",
    "count_quality": "strandline.scenes",
    "estimate_shift": "strandline.prepare",
    "find_water": "strandline.water",
    "harmonize": "strandline.prepare",
    "load_model": "strandline.export.model",
    "make_grid": "strandline.prepare",
    "normalization": "strandline.prepare",
    "normalize": "strandline.prepare",
    "open_catalog": "strandline.scenes",
    "open_scene": "strandline.scenes",
    "quality_table": "strandline.scenes",
    "regrid": "strandline.prepare",
    "report": "strandline.show.report",
    "run_study": "strandline.study",
    "save_model": "strandline.export.model",
    "search_scenes": "strandline.scenes",
    "segment": "strandline.segmentation",
    "segment_again": "strandline.segmentation",
    "shorelines": "strandline.change",
    "simulate_scene": "strandline.scenes",
    "stability_map": "strandline.water",
    "stack_scenes": "strandline.prepare",
    "standardize": "strandline.prepare",
    "timeline": "strandline.change.timeline",
    "to_image": "strandline.prepare",
    "to_samples": "strandline.prepare",
    "water_confidence": "strandline.water",
    "water_fraction": "strandline.water",
    "water_mask": "strandline.water",
    "water_polygons": "strandline.change",
}

__all__ = [*sorted(_HOMES), "__version__"]


if "xarray" in sys.modules:  # importing it would take longer than all else here
    import_module("strandline.accessors")


def __getattr__(name: str) -> Any:
    if name in _PICTURES:
        return import_module(f"strandline.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'strandline' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_PICTURES})
