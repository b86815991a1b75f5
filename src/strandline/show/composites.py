"""What is drawn of scenes and maps: each date of them, and which bands as red, green and blue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

from strandline.errors import ConfigurationError, MissingBandError
from strandline.prepare.classes import stored_classes
from strandline.show.display import north_up

_TRUE = ("red", "green", "blue")
FALSE_COLOURS = (
    ("swir16", "nir08", "red"),
    ("nir08", "red", "green"),
    ("swir16", "nir08", "green"),
)


def is_true_colour(bands: Sequence[str]) -> bool:
    """Whether these displayed bands are what an eye would see."""
    return tuple(bands) == _TRUE


def composite_bands(
    scenes: Sequence[xr.DataArray], bands: Sequence[str] | None, *, natural: bool
) -> tuple[tuple[str, ...], str]:
    """Give the bands that are shown as red, green, blue, and their name: those asked for, or best.

    Raises
    ------
    MissingBandError
        If a band that was asked for is not there, or there are not three of them.
    """
    if bands is None:
        return display_bands(
            scenes, (_TRUE, *FALSE_COLOURS) if natural else (*FALSE_COLOURS, _TRUE)
        )
    for scene in scenes:
        missing = [b for b in bands if b not in scene["band"].values]
        if missing or len(bands) != 3:
            raise MissingBandError(
                "Cannot draw this false-colour picture.",
                expected="three bands of " + ", ".join(map(str, scene["band"].values)),
                got=", ".join(bands),
            )
    return tuple(bands), f"False colour ({', '.join(bands)})"


def shared_bands(scenes: Sequence[xr.DataArray]) -> list[str]:
    """List the bands that all scenes have, in the order of the first.

    Raises
    ------
    MissingBandError
        If there are none.
    """
    shared = [
        str(band)
        for band in scenes[0]["band"].values
        if all(band in scene["band"].values for scene in scenes)
    ]
    if not shared:
        raise MissingBandError("The scenes have no band in common, so nothing can be drawn.")
    return shared


def display_bands(
    scenes: Sequence[xr.DataArray], wishes: Sequence[tuple[str, str, str]] = (_TRUE, *FALSE_COLOURS)
) -> tuple[tuple[str, ...], str]:
    """Choose the first wish that all scenes can fulfil, and name it honestly."""
    shared = shared_bands(scenes)
    for wish in wishes:
        if set(wish) <= set(shared):
            kind = "True colour" if wish == _TRUE else f"False colour ({', '.join(wish)})"
            return wish, kind
    if len(shared) >= 3:
        first = tuple(shared[:3])
        return first, f"Bands {', '.join(first)} as red, green, blue"
    return (shared[0],), f"Band {shared[0]}"


def each_scene(scenes: xr.DataArray | Sequence[xr.DataArray]) -> Iterator[xr.DataArray]:
    """Take scenes apart into (band, y, x) each, however they come; north up."""
    for scene in [scenes] if isinstance(scenes, xr.DataArray) else scenes:
        if "time" in scene.dims:
            yield from (north_up(scene.isel(time=i)) for i in range(scene.sizes["time"]))
        elif scene.ndim == 3 and "band" in scene.dims:
            yield north_up(scene.transpose("band", ...))
        else:
            raise ConfigurationError(
                "This is not a scene.",
                expected="dims (band, y, x) or (time, band, y, x)",
                got=str(tuple(scene.dims)),
            )


def each_map(classes: xr.DataArray) -> Iterator[xr.DataArray]:
    """Take a map of classes apart into (y, x) each; north up."""
    classes = north_up(stored_classes(classes))
    if classes.ndim == 2:
        yield classes
    elif classes.ndim == 3 and "time" in classes.dims:
        yield from (classes.isel(time=i) for i in range(classes.sizes["time"]))
    else:
        raise ConfigurationError(
            "This is not a map of classes.",
            expected="dims (y, x) or (time, y, x)",
            got=str(tuple(classes.dims)),
        )
