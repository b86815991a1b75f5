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

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.change import areas as measure_areas
from strandline.change.interval import INTERVALS, nothing_observed
from strandline.configuration import StudyConfig
from strandline.errors import SuspiciousSceneWarning
from strandline.prepare.classes import NOT_OBSERVED

if TYPE_CHECKING:
    from strandline.show.palettes import Palette

WHOLE_MAP = "whole map"

HIDDEN_SHARE, HIDDEN_PIXELS = 0.05, 20
"""From this share of the water on, and so many pixels, hidden water is warned of."""


@dataclass(frozen=True)
class Results:
    """What a study found.

    Attributes
    ----------
    config : StudyConfig
        What was asked for.
    scenes : DataArray of shape (time, band, y, x)
        The acquisitions on the common grid, as `views_of` thinned them out for pictures.
    segmentation : Dataset
        From `strandline.segment`.
    evidence : DataFrame
        From `strandline.find_water`.
    water : DataArray of shape (time, y, x)
        From `strandline.water_mask`.
    change : DataArray of shape (y, x) or None
        From `strandline.compare`, for two scenes.
    areas : DataFrame
        From `area_table`.
    quality : DataFrame
        From `study_quality`.
    """

    config: StudyConfig
    scenes: xr.DataArray
    segmentation: xr.Dataset
    evidence: pd.DataFrame
    water: xr.DataArray
    change: xr.DataArray | None
    areas: pd.DataFrame
    quality: pd.DataFrame

    def write(self, folder: Path, record: Mapping[str, Any]) -> list[str]:
        """Write everything but the record itself.

        Parameters
        ----------
        folder : Path
            An empty folder.
        record : mapping
            What the report shall say about the run.

        Returns
        -------
        list of str
            What could not be written, and why.
        """
        from strandline.export.model import save_model
        from strandline.export.picture import write_page, write_picture
        from strandline.export.raster import write_cog
        from strandline.export.style import write_style
        from strandline.export.table import (
            write_areas,
            write_evidence,
            write_signatures,
            write_table,
        )
        from strandline.show.palettes import palette_for

        palettes = {}
        for name, layer in self._maps():
            palette = palettes[f"{name}.tif"] = palette_for(layer)
            write_style(palette, write_cog(layer, folder / f"{name}.tif", palette=palette))
        notes, sure = self._write_dates(folder)
        write_areas(self.areas, folder / "areas.csv")
        write_evidence(self.evidence, folder / "evidence.csv")
        write_table(self.quality, folder / "quality.csv")
        write_signatures(self.segmentation, folder / "signatures.csv")
        for name, figure in self._pictures():
            write_picture(figure, folder / f"{name}.png")
        save_model(self.segmentation, folder / "model.npz")
        write_page(self.page(record, sure), folder / "report.html")
        return notes + self._write_item(folder, palettes)

    def page(self, record: Mapping[str, Any], sure: Sequence[xr.DataArray] = ()) -> str:
        """Write the report as HTML.

        Parameters
        ----------
        record : mapping
            What it shall say about the run.
        sure : sequence of DataArray
            How sure the mask is, per date, thinned out as `views_of` does; made if not given.
        """
        from strandline.show.report import report

        dates = range(self.water.sizes["time"])
        return report(
            self.scenes,
            self.segmentation,
            self.evidence,
            self.water,
            self.change,
            {str(name): part.drop(columns="area") for name, part in self.areas.groupby("area")},
            record,
            quality=self.quality,
            confidence=list(sure) or [views_of(self._confidence(number)) for number in dates],
        )

    def _confidence(self, number: int) -> xr.DataArray:
        """Compute how sure the mask of a date is."""
        from strandline.prepare.memory import hold
        from strandline.water import water_confidence

        return hold(water_confidence(self.segmentation.isel(time=number), self.evidence))

    def _write_dates(self, folder: Path) -> tuple[list[str], list[xr.DataArray]]:
        """Write how sure each date's mask is, bodies of water and shorelines.

        Gives what could not be written, since what that needs is not installed; and how sure the
        masks are, thinned out for the report.
        """
        from strandline.export.raster import write_cog
        from strandline.export.vector import missing_packages

        suffixes, notes, views = self.config.vectors, [], []
        if suffixes is None and missing_packages():
            suffixes = []
            notes.append(
                f"No polygons and shorelines: {', '.join(missing_packages())} not installed "
                "(pip install 'strandline[vector]')."
            )
        for number, ending in enumerate(self._endings()):
            sure = self._confidence(number)
            write_cog(sure, folder / f"confidence{ending}.tif")
            self._write_vectors(folder, number, sure, ["gpkg"] if suffixes is None else suffixes)
            views.append(views_of(sure))
        return notes, views

    def _write_vectors(
        self, folder: Path, number: int, confidence: xr.DataArray, suffixes: Sequence[str]
    ) -> None:
        """Write bodies of water and shorelines of a date."""
        if not suffixes:
            return
        from strandline.change import shorelines, water_polygons
        from strandline.export.vector import GEOPACKAGE, write_vectors

        bodies = water_polygons(
            self.water[number], min_pixels=self.config.min_pixels, confidence=confidence
        )
        layers = {"water": bodies, "shoreline": shorelines(self._shore(number))}
        ending = self._endings()[number]
        for suffix in sorted({f".{suffix}" for suffix in suffixes}):
            if suffix == GEOPACKAGE:
                write_vectors(layers, folder / f"water{ending}{suffix}")
                continue
            for name, layer in layers.items():
                write_vectors({name: layer}, folder / f"{name}{ending}{suffix}")

    def _shore(self, number: int) -> xr.DataArray:
        """Give what the shoreline of a date is drawn from.

        That is what its mask was made from: the fraction of water, or, where classes decide
        because the user named them, the mask.
        """
        from strandline.water import water_fraction
        from strandline.water.identify import FRACTION

        if self.evidence.attrs.get("shores") != FRACTION:
            return self.water[number]
        return water_fraction(self.segmentation.isel(time=number), self.evidence)

    def _write_item(self, folder: Path, palettes: Mapping[str, Palette]) -> list[str]:
        """Describe the folder as a STAC item, if it has a date at all."""
        from strandline.export.stac import write_item
        from strandline.prepare.georeference import grid_of
        from strandline.water.verdict import verdict_text

        times = self.water["time"].values if "time" in self.water.coords else np.array([], "M8[ns]")
        if np.isnat(times).all():
            return ["No STAC item: it would need a date, and the scene has none."]
        how = (
            f"Spectral clustering into {self.config.n_clusters} clusters; water by "
            f"{self.water.attrs.get('decided_by') or 'its spectra'}. {verdict_text(self.evidence)}"
        )
        title = "Water" if self.change is None else "Change of water"
        grid = grid_of(self.water)
        write_item(folder, grid, list(times), palettes=palettes, title=title, lineage=how)
        return []

    def _endings(self) -> list[str]:
        """Give what the date adds to the name of a file, for each date; nothing without one."""
        return [f"_{when}" if when else "" for when in dates_of(self.scenes)]

    def _maps(self) -> Iterator[tuple[str, xr.DataArray]]:
        for number, suffix in enumerate(self._endings()):
            platform = {"platform": str(self.scenes["platform"].values[number])}
            yield f"labels{suffix}", self.segmentation["labels"][number].assign_attrs(platform)
            yield f"water{suffix}", self.water[number].assign_attrs(platform)
        if self.change is not None:
            yield "change", self.change

    def _pictures(self) -> Iterator[tuple[str, Any]]:
        from strandline.show import captions, charts, maps

        wet, _ = captions.water_clusters(self.evidence)
        yield "true_colour", maps.true_colour(self.scenes)
        yield "false_colour", maps.false_colour(self.scenes)
        yield (
            "labels",
            maps.label_map(self.segmentation["labels"], segmentation=self.segmentation, water=wet),
        )
        yield "water", maps.water_map(self.water, over=self.scenes)
        yield "signatures", charts.signature_chart(self.segmentation, water=wet)
        if self.change is not None:
            first, last = dates_of(self.scenes)[0], dates_of(self.scenes)[-1]
            over = self.scenes[-1]
            sensors = (captions.sensor_text(self.scenes[0]), captions.sensor_text(over))
            yield (
                "change",
                maps.change_map(self.change, over=over, dates=(first, last), sensors=sensors),
            )


def views_of(scenes: xr.DataArray) -> xr.DataArray:
    """Thin out scenes for the pictures, all bands and dates in one go, and keep them in memory."""
    from strandline.show.display import reduce_scenes

    return reduce_scenes(scenes)


def dates_of(scenes: xr.DataArray) -> list[str]:
    """Name the dates of scenes, for files: the day, with the time where days repeat, or nothing."""
    if "time" not in scenes.coords:
        return [""] * scenes.sizes["time"]
    times = scenes["time"].values.astype("datetime64[s]")
    days = [str(time.astype("datetime64[D]")) for time in times]
    if len(set(days)) == len(days):
        return days
    return [str(time).replace(":", "") for time in times]


def area_table(
    water: xr.DataArray, change: xr.DataArray | None, at: tuple[float, float] | None
) -> pd.DataFrame:
    """Put all areas of a study into one table.

    Parameters
    ----------
    water : DataArray of shape (time, y, x)
        Water masks.
    change : DataArray of shape (y, x), optional
        Between the first and the last of them.
    at : (float, float), optional
        A point in a lake, whose own area is then told apart.

    Returns
    -------
    DataFrame
        Columns ``area`` (the whole map, or the body of water at the point), ``quantity``,
        ``pixels``, ``least``, ``best``, ``most``, the intervals ``low_90``, ``high_90``,
        ``low_95``, ``high_95``, and for two dates ``shift_explainable`` (km²; see
        `strandline.areas`).
    """
    parts: dict[str, tuple[float, float] | None] = {WHOLE_MAP: None}
    if at is not None:
        parts[f"body of water at ({at[0]:g}, {at[1]:g})"] = at
    tables = []
    for name, point in parts.items():
        if change is None:
            table = _of_mask(water, point)
        else:
            first, last = dates_of(water)[0], dates_of(water)[-1]
            names = {"water before": f"water {first}", "water after": f"water {last}"}
            table = measure_areas(change, at=point, intervals=True).rename(index=names)
        table.insert(0, "area", name)
        tables.append(table.rename_axis("quantity").reset_index())
    columns = ["area", "quantity", "pixels", "least", "best", "most", *INTERVALS]
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, *(name for name in ("shift_explainable",) if name in table)]]


def _of_mask(water: xr.DataArray, at: tuple[float, float] | None) -> pd.DataFrame:
    """Water and what was not observed, per date."""
    rows = {}
    unseen = (water == NOT_OBSERVED).sum(("y", "x")).values
    measured = measure_areas(water, at=at, intervals=True).to_dict("records")
    for when, row, pixels in zip(dates_of(water), measured, unseen, strict=True):
        rows[f"water {when}".strip()] = {
            key: row[key] for key in ("pixels", "least", "best", "most", *INTERVALS)
        }
        hidden = dict.fromkeys(("least", "best", "most"), row["not_observed_km2"])
        rows[f"not observed {when}".strip()] = {"pixels": pixels, **hidden}
    return pd.DataFrame.from_dict(rows, orient="index")


def study_quality(
    scenes: xr.DataArray,
    segmentation: xr.Dataset,
    areas: pd.DataFrame,
    counts: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Tabulate what was not observed, and why; warn where a quality band hides much water.

    Parameters
    ----------
    scenes : DataArray of shape (time, band, y, x)
        All dates.
    segmentation : Dataset
        Of them.
    areas : DataFrame
        From `area_table`.
    counts : ndarray of shape (time, 2, 256), optional
        What was counted tile by tile, if it was.

    Returns
    -------
    DataFrame
        As from `strandline.quality_table`.

    Warns
    -----
    SuspiciousSceneWarning
        If pixels that look like water were left out as cloud, cirrus or snow, and they are more
        than 5 % of the water that was observed together with them; or if no pixel was observed
        on both of two dates.
    """
    from strandline.scenes.counts import count_flags, table_of_counts, told_of

    names = dates_of(scenes)
    dates = [scenes.isel(time=number) for number in range(len(names))]
    if counts is None:
        observed = segmentation["labels"].values != NOT_OBSERVED
        flags = [date["quality"].values if "quality" in date.coords else None for date in dates]
        counts = np.stack([count_flags(*both) for both in zip(flags, observed, strict=True)])
    table = table_of_counts(names, counts, map(told_of, dates))
    _warn_of_hidden_water(table, areas)
    _warn_of_nothing_in_common(areas)
    return table


def _warn_of_nothing_in_common(areas: pd.DataFrame) -> None:
    """Say that a change of zero is no finding where nothing was seen on both dates."""
    whole = areas[areas["area"] == WHOLE_MAP].set_index("quantity")["pixels"]
    if "stable land" not in whole:
        return
    if whole[["stable land", "stable water", "lost", "gained"]].sum() == 0:
        warnings.warn(
            SuspiciousSceneWarning(
                "No pixel was observed on both dates: nothing is known of the change, and a "
                "change of 0 says what was seen, not what was. Take other dates, or look at "
                "quality.csv for why."
            ),
            stacklevel=3,
        )


def _warn_of_hidden_water(table: pd.DataFrame, areas: pd.DataFrame) -> None:
    from strandline.scenes.counts import HIDDEN_WATER

    whole = areas[areas["area"] == WHOLE_MAP].set_index("quantity")["pixels"]
    for name, rows in table.groupby("date", sort=False):
        hidden = int(rows.loc[rows["what"] == HIDDEN_WATER, "pixels"].sum())
        water = int(whole.get("water " + str(name) if name else "water", 0))
        if hidden >= HIDDEN_PIXELS and hidden > HIDDEN_SHARE * (hidden + water):
            where = " of " + str(name) if name else ""
            warnings.warn(
                SuspiciousSceneWarning(
                    f"The quality band{where} calls {hidden:,} pixels cloud, cirrus or snow that "
                    f"look like water by their spectrum; {water:,} pixels were observed as "
                    "water. Look at the picture; if it is water, pass conflicts='spectrum' "
                    "(--conflicts spectrum)."
                ),
                stacklevel=3,
            )


def best_in_words(row: Mapping[Any, Any]) -> str:
    """Say an area with two decimals, or a dash where nothing was observed."""
    return "–" if nothing_observed(row) else f"{row['best']:.2f}"


def bounds_in_words(row: Mapping[Any, Any]) -> str:
    """Say between what an area lies, if more than the area itself is known."""
    parts = []
    if nothing_observed(row):
        parts.append("not observed")
    if row.get("low_95", math.nan) < row.get("high_95", math.nan):
        parts.append(f"95 %: {row['low_95']:.2f} … {row['high_95']:.2f}")
    if row["least"] != row["most"]:
        parts.append(f"with the hidden: {row['least']:.2f} … {row['most']:.2f}")
    return f"   ({'; '.join(parts)})" if parts else ""


def summarise(areas: pd.DataFrame) -> str:
    """Say the areas of a study in a few lines of text."""
    lines = []
    for name, part in areas.groupby("area", sort=False):
        lines.append(f"{str(name).capitalize()}, km²:")
        for row in part.to_dict("records"):
            text = f"  {row['quantity']:<26} {best_in_words(row):>10}"
            text += bounds_in_words(row)
            if row.get("shift_explainable", 0.0) >= 0.005:
                text += f"   {row['shift_explainable']:.2f} of it may be a shift of the images"
            lines.append(text)
    return "\n".join(lines)


def read_summary(folder: Path) -> str:
    """Say what a finished study found: its areas, or first of all that there is no water."""
    from strandline.water.verdict import verdict_text

    areas = summarise(pd.read_csv(folder / "areas.csv"))
    evidence = pd.read_csv(folder / "evidence.csv")
    return areas if evidence["water"].any() else f"{verdict_text(evidence)}\n{areas}"
