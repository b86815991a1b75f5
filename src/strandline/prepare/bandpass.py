"""One sensor's reflectance as another would have measured it, by published regressions.

The bands of TM, ETM+, OLI and MSI that bear one name do not see the same wavelengths. How
much that matters was measured on millions of pairs of pixels, or computed from spectra; the
straight lines that came out are in one table here, each with its source.

TM has no table of its own: it flew with ETM+ (not with OLI), its bands are nearly the same,
and the coefficients of ETM+ are commonly used for it. So they are here.

References
----------
Roy, D. P. et al. (2016). Characterization of Landsat-7 to Landsat-8 reflective wavelength and
normalized difference vegetation index continuity. Remote Sensing of Environment 185, 57-70.
(Table 2, surface reflectance.)

Claverie, M. et al. (2018). The Harmonized Landsat and Sentinel-2 surface reflectance data set.
Remote Sensing of Environment 219, 145-161. (Values of the product's version 1.4 and later.)

Chastain, R. et al. (2019). Empirical cross sensor comparison of Sentinel-2A and 2B MSI,
Landsat-8 OLI, and Landsat-7 ETM+ top of atmosphere spectral characteristics over the
conterminous United States. Remote Sensing of Environment 221, 274-285. (Table 4.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError, NoCoefficientsError, SceneError

TARGETS = ("oli", "etm")
REGRESSIONS = ("rma", "ols")
LEVELS = {"L2": "surface", "L1": "toa"}
"""Processing levels, and the reflectance that they hold: at the surface, or atop the air."""

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")


class Line(NamedTuple):
    """``slope * reflectance + intercept``."""

    slope: float
    intercept: float

    def inverted(self) -> Line:
        """Give the line that leads back."""
        return Line(1 / self.slope, -self.intercept / self.slope)


class Regression(NamedTuple):
    """The lines of all bands from one sensor to another, and who published them."""

    lines: dict[str, Line]
    source: str

    def inverted(self) -> Regression:
        """Give the lines that lead back. Only where both sensors were treated alike."""
        return Regression({band: line.inverted() for band, line in self.lines.items()}, self.source)


def _lines(bands: tuple[str, ...], slopes: str, intercepts: str) -> dict[str, Line]:
    pairs = zip(slopes.split(), intercepts.split(), strict=True)
    return {
        band: Line(float(slope), float(intercept))
        for band, (slope, intercept) in zip(bands, pairs, strict=True)
    }


# Reduced major axis: one line for both directions, since it favours neither sensor.
_ROY_RMA = Regression(
    _lines(
        BANDS,
        "0.9785 0.9542 0.9825 1.0073 1.0171 0.9949",
        "-0.0095 -0.0016 -0.0022 -0.0021 -0.0030 0.0029",
    ),
    "Roy et al. 2016, reduced major axis",
)
# Ordinary least squares: the best guess at a single pixel, but flatter, as all such lines are
# where both sides are noisy: dark becomes brighter and bright becomes darker.
_ROY_OLS = Regression(
    _lines(
        BANDS,
        "0.8474 0.8483 0.9047 0.8462 0.8937 0.9071",
        "0.0003 0.0088 0.0061 0.0412 0.0254 0.0172",
    ),
    "Roy et al. 2016, least squares",
)
_ROY_OLS_BACK = Regression(
    _lines(
        BANDS,
        "0.8850 0.9317 0.9372 0.8339 0.8639 0.9165",
        "0.0183 0.0123 0.0123 0.0448 0.0306 0.0116",
    ),
    "Roy et al. 2016, least squares",
)
_HLS = "Claverie et al. 2018"
# MSI = slope * OLI + intercept as printed, of band 8 (the wide one: 8A is another band).
_CHASTAIN = Regression(
    _lines(
        ("blue", "green", "red", "nir", "swir16", "swir22"),
        "1.0946 1.0043 1.0524 0.8954 1.0049 1.0002",
        "-0.0107 0.0026 -0.0015 0.0033 0.0065 0.0046",
    ),
    "Chastain et al. 2019, major axis",
).inverted()

# (instrument or platform, target, level, regression); None where one was published for all.
_TABLE: dict[tuple[str, str, str, str | None], Regression] = {
    ("etm", "oli", "surface", "rma"): _ROY_RMA,
    ("etm", "oli", "surface", "ols"): _ROY_OLS,
    ("oli", "etm", "surface", "rma"): _ROY_RMA.inverted(),
    ("oli", "etm", "surface", "ols"): _ROY_OLS_BACK,
    ("sentinel-2a", "oli", "surface", None): Regression(
        _lines(
            ("coastal", *BANDS),
            "0.9959 0.9778 1.0053 0.9765 0.9983 0.9987 1.0030",
            "-0.0002 -0.0040 -0.0009 0.0009 -0.0001 -0.0011 -0.0012",
        ),
        _HLS,
    ),
    ("sentinel-2b", "oli", "surface", None): Regression(
        _lines(
            ("coastal", *BANDS),
            "0.9959 0.9778 1.0075 0.9761 0.9966 1.0000 0.9867",
            "-0.0002 -0.0040 -0.0008 0.0010 0.0000 -0.0003 0.0004",
        ),
        _HLS,
    ),
    ("sentinel-2a", "oli", "toa", None): _CHASTAIN,
    ("sentinel-2b", "oli", "toa", None): _CHASTAIN,
}
_LIKE = {"tm": "etm"}  # instruments that share another's coefficients


def harmonize(
    scene: xr.DataArray, to: str = "oli", *, regression: str = "rma", level: str | None = None
) -> xr.DataArray:
    """Turn a sensor's reflectance into what another sensor would have measured.

    For TM and ETM+ to OLI and back, at the surface: Roy et al. 2016. Sentinel-2A and -2B to
    OLI: at the surface Claverie et al. 2018, atop the atmosphere Chastain et al. 2019. These
    are averages over a continent, or over a library of spectra: what remains between two
    scenes, `normalize` takes out.

    Parameters
    ----------
    scene : DataArray of shape (…, band, y, x)
        Reflectance, with attributes ``platform`` and ``instrument`` as `open_scene` sets them.
    to : {"oli", "etm"}
        The sensor to come close to: of Landsat 8 and 9, or of Landsat 7 (4 and 5 alike).
    regression : {"rma", "ols"}
        Of the two that Roy et al. give: reduced major axis (default), or least squares. The
        latter has the smaller error at a single pixel, but is flatter: it lifts dark pixels,
        water above all (a near-infrared reflectance of 0.01 becomes 0.050, with the former
        0.008), so that land and water come closer.
    level : {"surface", "toa"}, optional
        Whether the reflectance is that of the surface, or of the top of the atmosphere.
        Default: what ``processing_level`` says (L2: the surface, L1: the top).

    Returns
    -------
    DataArray
        Same dtype, lazy if `scene` is. Attributes ``harmonized_to`` and ``harmonized_by`` say
        what was done; ``platform`` still says who observed. A scene of the sensor asked for,
        or one that was harmonised to it already, keeps its values.

    Raises
    ------
    NoCoefficientsError
        If none are published (that we could check) for the sensor, the level or a band.
    SceneError
        If the scene does not say its sensor or level, or was made like another sensor before.
    ConfigurationError
        If `to`, `regression` or `level` is not known.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake().assign_attrs(instrument="tm", processing_level="L2")
    >>> alike = harmonize(scene)
    >>> alike.attrs["harmonized_to"], alike.attrs["harmonized_by"]
    ('oli', 'Roy et al. 2016, reduced major axis')
    >>> harmonize(alike).identical(alike)  # never applied twice
    True
    """
    _check_choice("to", to, TARGETS)
    _check_choice("regression", regression, REGRESSIONS)
    before = scene.attrs.get("harmonized_to")
    if before == to:
        return scene
    if before is not None:
        raise SceneError(
            "The scene was harmonised already.",
            expected=f"reflectance as measured, or harmonised to {to}",
            got=f"harmonised to {before}",
            remedy="Harmonise the scene as it was opened.",
        )
    instrument = _instrument(scene)
    if instrument == to:
        return scene.assign_attrs(harmonized_to=to, harmonized_by="nothing: it is that sensor")
    steps = _steps(scene, instrument, to, _level(scene, level), regression)
    names = [_measured_as(str(name), scene) for name in np.atleast_1d(scene["band"].values)]
    slope, intercept = _combined(names, steps)
    coords = {"band": scene["band"].values}
    kind = scene.dtype if scene.dtype.kind == "f" else np.dtype(np.float32)
    a = xr.DataArray(slope.astype(kind), dims="band", coords=coords)
    b = xr.DataArray(intercept.astype(kind), dims="band", coords=coords)
    result = (scene * a + b).transpose(*scene.dims)
    by = "; ".join(dict.fromkeys(step.source for step in steps))
    result.attrs = {**scene.attrs, "harmonized_to": to, "harmonized_by": by}
    result.encoding = dict(scene.encoding)
    result.name = scene.name
    return result


def _check_choice(name: str, given: object, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ConfigurationError(
            f"{name}=… is not known.", expected=f"one of {', '.join(known)}", got=repr(given)
        )


def _instrument(scene: xr.DataArray) -> str:
    if "band" not in scene.coords:
        raise SceneError("Scene does not name its bands.", expected="a coordinate band", got="none")
    instrument = str(scene.attrs.get("instrument", ""))
    if not instrument:
        raise SceneError(
            "The scene does not state its sensor.",
            expected="the attribute instrument: tm, etm, oli or msi",
            got="none",
            remedy="Pass platform=… to open_scene.",
        )
    return _LIKE.get(instrument, instrument)


def _measured_as(name: str, scene: xr.DataArray) -> str:
    """Name the band that was measured, where another bears its name (band 8 for 8A)."""
    stands_in = str(scene.attrs.get("stands_in", ""))
    return "nir" if name == "nir08" and stands_in.startswith("B08") else name


def _level(scene: xr.DataArray, given: str | None) -> str:
    if given is not None:
        _check_choice("level", given, tuple(LEVELS.values()))
        return given
    known = LEVELS.get(str(scene.attrs.get("processing_level")))
    if known is None:
        raise SceneError(
            "The scene does not state whether it holds surface or top-of-atmosphere reflectance.",
            expected="the attribute processing_level: L1 or L2",
            got=repr(scene.attrs.get("processing_level")),
            remedy="Pass level='surface' or level='toa' to harmonize(); or match the dates by "
            "normalize, which needs no level.",
        )
    return known


def _steps(
    scene: xr.DataArray, instrument: str, to: str, level: str, regression: str
) -> list[Regression]:
    """Find the regression, or the two by way of OLI."""
    platform = str(scene.attrs.get("platform", ""))
    first = platform if instrument == "msi" else instrument
    direct = _find(first, to, level, regression)
    if direct is not None:
        return [direct]
    by_way = [_find(first, "oli", level, regression), _find("oli", to, level, regression)]
    found = [step for step in by_way if step is not None]
    if len(found) < len(by_way):
        known = sorted({f"{one} to {other}, {what}" for one, other, what, _ in _TABLE})
        raise NoCoefficientsError(
            f"No coefficients are known from {first or instrument} to {to}, {level} reflectance.",
            expected="one of: " + "; ".join(known) + " (tm counts as etm)",
            got=f"{first or instrument} to {to}, {level}",
            remedy="Use normalize, which finds them in the scenes themselves.",
        )
    return found


def _find(start: str, to: str, level: str, regression: str) -> Regression | None:
    return _TABLE.get((start, to, level, regression)) or _TABLE.get((start, to, level, None))


def _combined(names: list[str], steps: list[Regression]) -> tuple[np.ndarray, np.ndarray]:
    """Apply the steps one after the other, band by band."""
    slope, intercept = np.ones(len(names)), np.zeros(len(names))
    for step in steps:
        missing = [name for name in names if name not in step.lines]
        if missing:
            raise NoCoefficientsError(
                f"No coefficients are known for {', '.join(missing)} ({step.source}).",
                expected=f"bands among {', '.join(step.lines)}",
                got=", ".join(names),
                remedy="Leave these bands out: scene.sel(band=[…]), or open_scene(…, bands=[…]).",
            )
        for number, name in enumerate(names):
            line = step.lines[name]
            slope[number] *= line.slope
            intercept[number] = line.slope * intercept[number] + line.intercept
    return slope, intercept
