"""Sentinel-2 products as the European Space Agency delivers them.

`metadata.py` parses their XML files, `factors.py` says how their numbers become reflectance,
`product.py` finds their files, `clouds.py` reads the cloud masks of Level 1C, and `bundle.py`
opens a product as a scene.
"""


from strandline.scenes.sentinel.factors import msi_factors

__all__ = ["msi_factors"]
