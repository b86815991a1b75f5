"""What of a folder can be opened as a scene, each listed once, for those who choose from a list.

The band files of one product are one entry, and so is a product with its metadata. Left out is what
is not a scene: masks and other rasters of one band, our own results, companions of other systems.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from strandline.errors import StrandlineError

_METADATA = re.compile(r".*(_MTL\.(txt|json|xml)|MTD_MSIL\w+\.xml)$", re.IGNORECASE)
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_RASTERS = (".tif", ".tiff", ".jp2", ".img")
_ARRAYS = (".nc", ".h5")
_CATALOGS = (".yml", ".yaml")
_RESULT = re.compile(
    r"(labels|water|confidence|change|frequency|occurrence|first|last)(_\d{4}[\d-]*)?\.tiff?$"
)
_NAMES = "coastal|blue|green|red|rededge\\d*|nir(?:08|09)?|swir(?:1|2|16|22)|pan|tir|lwir1?1?"
_BAND = re.compile(
    rf"(?P<head>.*?)(?P<word>(?<![A-Za-z])(?:band|B)_?|(?<=[_.-]))"
    rf"(?P<band>\d{{1,2}}A?|(?<![A-Za-z])(?:{_NAMES}))(?P<tail>(?:_[A-Za-z0-9]+)?\.\w+)$",
    re.IGNORECASE,
)
_OF_PRODUCT = re.compile(r"_(sr_band|band|B)\d+[^/]*\.(tiff?|jp2)$", re.IGNORECASE)
_IS_WORD = re.compile(r"[A-Za-z]")
_FEWEST_BY_NUMBER = 3  # files whose names differ by a number that is not called a band


def scenes_below(root: Path, depth: int, *, top: bool = True) -> Iterator[Path]:
    """List what can be opened in a folder, and below it, in the order of names.

    Parameters
    ----------
    root : Path
    depth : int
        Folders below it that are looked through.
    top : bool
        Whether the folder itself has no name for those who choose: a product in it is called by
        its metadata then.

    Yields
    ------
    Path
        Of a file, of a product's folder or metadata, or a pattern with ``{band}`` for files that
        hold a band each.
    """
    try:
        entries = sorted(path for path in root.iterdir() if not path.name.startswith((".", "__")))
    except OSError:
        return
    # Links may be typed in, and are then looked at.
    entries = [path for path in entries if not path.is_symlink()]
    files = [path for path in entries if path.is_file()]
    products = [path for path in files if _METADATA.match(path.name) and _is_complete(path)]
    named = _one_per_product(products)
    found = [root] if len(named) == 1 and not top else named
    stems = tuple({path.name.rpartition("_")[0] for path in products})
    loose = [p for p in files if not (stems and p.name.startswith(stems) and _holds_one(p))]
    if not any(path.name == "record.json" for path in files):
        found += _rasters(loose)
    found += [path for path in files if _is_other_scene(path)]
    for path in sorted(found):
        yield path
    for path in entries:
        if path.is_dir() and path.suffix.lower() in (".safe", ".zarr"):
            yield path
        elif path.is_dir() and depth > 0:
            yield from scenes_below(path, depth - 1, top=False)


def _is_complete(metadata: Path) -> bool:
    """Whether a product's bands lie beside its metadata; often these are kept without them."""
    from strandline.scenes.inputs import source_files

    try:
        return any(_OF_PRODUCT.search(name) for name in source_files(str(metadata)))
    except StrandlineError:
        return False


def _one_per_product(metadata: Iterable[Path]) -> list[Path]:
    """Name each product once, whatever the number of forms of its metadata."""
    named: dict[str, Path] = {}
    for path in metadata:
        named.setdefault(path.stem, path)
    return list(named.values())


def _rasters(files: Iterable[Path]) -> list[Path]:
    """List rasters of several bands, and groups of those of one."""
    found: list[Path] = []
    groups: dict[tuple[Path, str, str], list[tuple[Path, bool]]] = {}
    for path in files:
        if not path.name.lower().endswith(_RASTERS) or _RESULT.fullmatch(path.name):
            continue
        count = _bands(path)
        if count > 1:
            found.append(path)
        matched = _BAND.fullmatch(path.name) if count == 1 else None
        if matched:
            head, tail = matched["head"] + matched["word"], matched["tail"]
            said = bool(matched["word"]) or bool(_IS_WORD.match(matched["band"]))
            groups.setdefault((path.parent, head, tail), []).append((path, said))
    for (folder, head, tail), members in groups.items():
        said = any(by_name for _, by_name in members)
        if len(members) >= (2 if said else _FEWEST_BY_NUMBER):
            found.append(folder / f"{head}{{band}}{tail}")
    return found


def _is_other_scene(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(".zip"):
        return not _is_export(path)
    return name.endswith((*_ARCHIVES, *_ARRAYS, *_CATALOGS))


def _is_export(path: Path) -> bool:
    """Whether an archive cannot be read, or is one that the app has written."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/record.json") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return True


def _holds_one(path: Path) -> bool:
    return path.name.lower().endswith(_RASTERS) and _bands(path) == 1


def _bands(path: Path) -> int:
    """Count the bands of a raster; 0 if it is none."""
    try:
        state = path.stat()
    except OSError:
        return 0
    return _bands_of(str(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=20_000)
def _bands_of(path: str, changed: int, size: int) -> int:
    import rasterio
    from rasterio.errors import RasterioError

    del changed, size  # they say only which version of the file is meant
    try:
        with rasterio.open(path) as raster:
            return 0 if raster.driver == "VRT" else int(raster.count)
    except RasterioError:
        return 0
