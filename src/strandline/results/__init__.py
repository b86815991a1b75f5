"""The folder of results: which file holds what.

labels_DATE.tif, water_DATE.tif, change.tif    COGs with colours and class names
confidence_DATE.tif                            how sure the mask is of each pixel, 0.5 to 1
*.qml                                          their styles for QGIS
water_DATE.gpkg                                bodies of water and shorelines
areas.csv, evidence.csv, signatures.csv        tables, km² and reflectance
quality.csv                                    what was not observed, and why
*.png                                          pictures for a talk
report.html                                    all of it on one page, opens anywhere
model.npz                                      the model, for other scenes
item.json                                      the folder as a STAC item
record.json                                    what `strandline replay` repeats it from
"""

from strandline.results.areas import area_table, best_in_words, bounds_in_words, summarise
from strandline.results.dates import dates_of
from strandline.results.folder import Results, read_summary, views_of
from strandline.results.quality import study_quality

__all__ = [
    "Results",
    "area_table",
    "best_in_words",
    "bounds_in_words",
    "dates_of",
    "read_summary",
    "study_quality",
    "summarise",
    "views_of",
]
