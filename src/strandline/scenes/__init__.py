"""Scenes: from files, products, catalogues and services to labelled arrays of reflectance.

`open.py` decides what a source is. `raster.py` reads files as they are stored,
`bundle.py` knows Landsat products and `datasets.py` NetCDF, Zarr and arrays in
memory; `sensors.py` names the bands, `reflectance.py` scales them once, and
`quality.py` says which pixels were observed.
"""
