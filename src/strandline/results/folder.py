"""A study's results, and the folder that they are written into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from strandline.configuration import StudyConfig
from strandline.errors import how_to_install
from strandline.results.areas import WHOLE_MAP, summarise
from strandline.results.dates import dates_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from strandline.show.palettes import Palette


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
            What a reader of the results has to know: that colours alone do not tell so many
            clusters apart, and which optional files (polygons and shorelines, pictures, report,
            STAC item) could not be written, and why.

        Warns
        -----
        IncompleteResultsWarning
            For each of them that failed; all else is written.
        """
        from strandline.export.model import save_model
        from strandline.export.picture import write_page, write_picture
        from strandline.export.raster import write_cog
        from strandline.export.staging import optional_output
        from strandline.export.style import write_style
        from strandline.export.table import (
            write_areas,
            write_evidence,
            write_signatures,
            write_table,
        )
        from strandline.show.clusters import too_many_text
        from strandline.show.palettes import palette_for

        palettes = {}
        for name, layer in self._maps():
            palette = self._clusters() if name.startswith("labels") else palette_for(layer)
            palettes[f"{name}.tif"] = palette
            write_style(palette, write_cog(layer, folder / f"{name}.tif", palette=palette))
        notes = [text for text in [too_many_text(self.segmentation.sizes["cluster"])] if text]
        sure = self._write_dates(folder, notes)
        write_areas(self.areas, folder / "areas.csv")
        write_evidence(self.evidence, folder / "evidence.csv")
        write_table(self.quality, folder / "quality.csv")
        write_signatures(self.segmentation, folder / "signatures.csv")
        save_model(self.segmentation, folder / "model.npz")
        for name, draw in self._pictures().items():
            with optional_output(f"{name}.png", notes):
                write_picture(draw(), folder / f"{name}.png")
        with optional_output("report.html", notes):
            write_page(self.page(record, sure), folder / "report.html")
        with optional_output("item.json", notes):
            notes += self._write_item(folder, palettes)
        return notes

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

    def _clusters(self) -> Palette:
        """Return the colours of the clusters, and what they look like, by the evidence of water."""
        from strandline.show.clusters import cluster_palette

        means = self.segmentation["signature_mean"]
        return cluster_palette(means, self.evidence)

    def _confidence(self, number: int) -> xr.DataArray:
        """Compute how sure the mask of a date is."""
        from strandline.prepare.memory import hold
        from strandline.water import water_confidence

        return hold(water_confidence(self.segmentation.isel(time=number), self.evidence))

    def _write_dates(self, folder: Path, notes: list[str]) -> list[xr.DataArray]:
        """Write the confidence, the bodies of water and the shorelines of each date.

        What could not be written is added to `notes`. Returns the confidence of the masks,
        thinned out for the report.
        """
        from strandline.export.raster import write_cog
        from strandline.export.staging import optional_output
        from strandline.export.vector import missing_packages

        suffixes, views = self.config.vectors, []
        if suffixes is None and missing_packages():
            suffixes = []
            notes.append(
                f"No polygons and shorelines: {', '.join(missing_packages())} not installed. "
                f"{how_to_install('vector')}"
            )
        for number, ending in enumerate(self._endings()):
            sure = self._confidence(number)
            write_cog(sure, folder / f"confidence{ending}.tif")
            with optional_output(f"polygons and shorelines (water{ending})", notes):
                formats = ["gpkg"] if suffixes is None else suffixes
                self._write_vectors(folder, number, sure, formats)
            views.append(views_of(sure))
        return views

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
        verdict = verdict_text(self.evidence, self._hidden())
        how = (
            f"Spectral clustering into {self.config.n_clusters} clusters; water by "
            f"{self.water.attrs.get('decided_by') or 'its spectra'}. {verdict}"
        )
        title = "Water" if self.change is None else "Change of water"
        if self.scenes.attrs.get("simulated"):
            title = f"{title} (simulated)"
            how = f"Simulated scenes, not observed by a satellite. {how}"
        grid = grid_of(self.water)
        write_item(folder, grid, list(times), palettes=palettes, title=title, lineage=how)
        return []

    def _hidden(self) -> float:
        """Return the share of the map that was not observed, of all dates together."""
        shares = self.quality.loc[self.quality["what"] == "not_observed", "share"]
        return float(shares.mean())

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

    def _pictures(self) -> dict[str, Callable[[], Figure]]:
        """Return the pictures by name, each to be drawn when it is written."""
        from strandline.show import captions, charts, maps

        decision = self.evidence
        labels, segmentation = self.segmentation["labels"], self.segmentation
        pictures: dict[str, Callable[[], Figure]] = {
            "true_colour": lambda: maps.true_colour(self.scenes),
            "false_colour": lambda: maps.false_colour(self.scenes),
            "labels": lambda: maps.label_map(labels, segmentation=segmentation, water=decision),
            "water": lambda: maps.water_map(self.water, over=self.scenes),
            "signatures": lambda: charts.signature_chart(segmentation, water=decision),
        }
        change = self.change
        if change is not None:
            first, last = dates_of(self.scenes)[0], dates_of(self.scenes)[-1]
            over = self.scenes[-1]
            sensors = (captions.sensor_text(self.scenes[0]), captions.sensor_text(over))
            pictures["change"] = lambda: maps.change_map(
                change, over=over, dates=(first, last), sensors=sensors
            )
        return pictures


def views_of(scenes: xr.DataArray) -> xr.DataArray:
    """Thin out scenes for the pictures, all bands and dates in one go, and keep them in memory."""
    from strandline.show.display import reduce_scenes

    return reduce_scenes(scenes)


def read_summary(folder: Path) -> str:
    """Return what a finished study found: how much water, or that there is none; then all areas."""
    from strandline.show.captions import headline_text
    from strandline.water.verdict import verdict_text

    table = pd.read_csv(folder / "areas.csv")
    evidence = pd.read_csv(folder / "evidence.csv")
    quality = pd.read_csv(folder / "quality.csv")
    hidden = float(quality.loc[quality["what"] == "not_observed", "share"].mean())
    of_map = table[table["area"] == WHOLE_MAP]
    said = headline_text(of_map, hidden) if evidence["water"].any() else ""
    return f"{said or verdict_text(evidence, hidden)}\n{summarise(table)}"
