"""The simulated Walker Lake, from the ground up.

`geography.py` says where things are, `lake.py` how full the lake is and what
shape its basin has; `terrain.py` raises and erodes the land (`erosion.py`,
`fans.py`) from noise that depends on place and seed alone (`noise.py`).
`landcover.py` covers it, `optics.py` and `clouds.py` light it, `render.py`
turns it into stored numbers tile by tile, and `product.py` writes them with
their `metadata.py` as a Landsat product. The way in is
:func:`strandline.scenes.simulate.simulate_scene`.
"""
