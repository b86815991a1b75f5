"""How a Landsat product's archive and files are named."""

from __future__ import annotations

import re

from strandline.scenes.storage import is_companion

_ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz|zip)$", re.IGNORECASE)
_METADATA = re.compile(r"_MTL\.(txt|json|xml)$", re.IGNORECASE)
_OF_A_PRODUCT = re.compile(r"(\.tiff?|_MTL\.(txt|json|xml))$", re.IGNORECASE)


def is_archive(source: str) -> bool:
    """Whether a path is named like an archive: tar, packed or not, or zip.

    Examples
    --------
    >>> is_archive("LT05_L2SP_042033_19881022_02_T1.tar"), is_archive("scene.tif")
    (True, False)
    """
    return bool(_ARCHIVE.search(source))


def is_metadata(source: str) -> bool:
    """Whether a path is named like an MTL file."""
    return bool(_METADATA.search(source)) and not is_companion(source)


def product_stem(metadata_name: str) -> str:
    """Name of the product that an MTL file belongs to.

    Examples
    --------
    >>> product_stem("LT52240631988227CUB02_MTL.txt")
    'LT52240631988227CUB02'
    """
    return _METADATA.sub("", metadata_name)


def is_of_product(name: str) -> bool:
    """Whether a file is named like one of a product's: a GeoTIFF, or its MTL file.

    Examples
    --------
    >>> is_of_product("LT05_B4.TIF"), is_of_product("._LT05_B4.TIF")
    (True, False)
    """
    return bool(_OF_A_PRODUCT.search(name)) and not is_companion(name)
