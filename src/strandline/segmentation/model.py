"""All that the labels of a segmentation depend on, ready for other scenes or a file."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import MissingBandError, ModelFileError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.samples import OF_VALUES
from strandline.prepare.stack import with_common_names
from strandline.prepare.standardize import Standardizer
from strandline.segmentation.sides import Sides
from strandline.segmentation.subclusters import Subclusters
from strandline.spectral import SpectralClustering, dump_model, load_model
from strandline.spectral.archive import pack, unpack
from strandline.spectral.sampling import is_dask
from strandline.spectral.tiles import map_rows

FORMAT = "strandline segmentation model"
VERSION = 3  # 2: subclusters keep to one side of the water index; 3: which need not begin at 0


@dataclass(frozen=True)
class SegmentationModel:
    """A fitted segmentation: bands, scaling, clustering, and the order of its labels.

    Attributes
    ----------
    bands : tuple of str
        Bands that a scene must have, in the model's order.
    standardizer : Standardizer
        How reflectance becomes features.
    clusterer : SpectralClustering
        Fitted to features.
    order : ndarray of uint8, shape (n_clusters,)
        Label on the map, darkest mean reflectance first, for each label of the engine.
    subclusters : Subclusters
    """

    bands: tuple[str, ...]
    standardizer: Standardizer
    clusterer: SpectralClustering
    order: NDArray[np.uint8]
    subclusters: Subclusters

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.order)

    def classify(self, rows: NDArray[Any], n_jobs: int | None = None) -> NDArray[np.uint8]:
        """Label spectra.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_bands)
            Reflectance, in the order of `bands`; NaN where not observed.
        n_jobs : int, optional
            Threads; None uses every CPU. Never changes the result.

        Returns
        -------
        ndarray of uint8, shape (n_samples, 2)
            Cluster and subcluster; 255 where a band is NaN.
        """

        def work(tile: NDArray[Any]) -> NDArray[np.uint8]:
            features = self.standardizer.transform(tile)
            labels = self.order[self.clusterer.model_.labels(features)]
            return np.stack([labels, self.subclusters.nearest(tile, labels)], axis=1)

        return map_rows(work, rows, np.full((len(rows), 2), NOT_OBSERVED, np.uint8), n_jobs)

    def predict(self, scene: xr.DataArray) -> xr.Dataset:
        """Label a scene, or several dates together, without fitting again.

        Parameters
        ----------
        scene : DataArray of shape (band, y, x) or (time, band, y, x)
            Reflectance. Bands that the model does not use are left aside.

        Returns
        -------
        Dataset
            ``labels`` and ``subclusters``, uint8, of shape (y, x) or (time, y, x), 255 where
            not observed. Lazy if the scene is. `strandline.water_mask` turns it into a mask
            by the evidence of the segmentation that the model comes from.

        Raises
        ------
        MissingBandError
            If the scene lacks a band of the model.
        """
        scene = with_common_names(scene)
        present = [str(name) for name in scene["band"].values]
        missing = [name for name in self.bands if name not in present]
        if missing:
            raise MissingBandError(
                f"The scene lacks bands that the model uses: {', '.join(missing)}.",
                expected=", ".join(self.bands),
                got=", ".join(present),
            )
        scene = scene.sel(band=list(self.bands))
        scene = scene.transpose(*(["time"] if "time" in scene.dims else []), "band", "y", "x")
        if is_dask(scene.data):
            classes = self.classify_blocks(scene.data)
        else:
            classes = _classify_window(scene.data, self)
        maps = {
            name: _as_map(classes[..., number, :, :], scene)
            for number, name in enumerate(("labels", "subclusters"))
        }
        return xr.Dataset(maps).assign_coords(
            cluster=np.arange(self.n_clusters),
            subcluster=np.arange(len(self.subclusters.cluster)),
        )

    def classify_blocks(self, data: Any) -> Any:
        """Label a Dask array of spectra block by block, lazily.

        Parameters
        ----------
        data : dask.array.Array of shape (…, band, y, x)
            Reflectance of the bands of the model.

        Returns
        -------
        dask.array.Array of uint8, shape (…, 2, y, x)
            Cluster and subcluster, in the chunks of the data.
        """
        axis = data.ndim - 3
        data = data.rechunk({axis: -1})
        return data.map_blocks(
            _classify_window,
            model=self,
            n_jobs=1,
            dtype=np.uint8,
            chunks=(*data.chunks[:axis], (2,), *data.chunks[axis + 1 :]),
            meta=np.empty((0,) * data.ndim, np.uint8),
        )

    def to_bytes(self) -> bytes:
        """Write the model in an open format (see `strandline.spectral.archive`)."""
        return pack(
            {
                "engine": np.frombuffer(dump_model(self.clusterer), np.uint8),
                "center": self.standardizer.center_,
                "scale": self.standardizer.scale_,
                "order": self.order,
                "subcluster_centres": self.subclusters.centres,
                "subcluster_cluster": self.subclusters.cluster,
                "subcluster_wet": np.zeros(0, bool)
                if self.subclusters.wet is None
                else self.subclusters.wet,
            },
            {
                "format": FORMAT,
                "version": VERSION,
                "bands": list(self.bands),
                "standardize": self.standardizer.how,
                "subcluster_offset": self.subclusters.offset,
                "subcluster_sides": self.subclusters.sides,
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> SegmentationModel:
        """Read what `to_bytes` wrote; it gives the same labels to the byte.

        Raises
        ------
        ModelFileError
            If the bytes are damaged, something else, or of another version.
        """
        arrays, header = unpack(data, FORMAT, VERSION)
        try:
            standardizer = Standardizer(header["standardize"])
            standardizer.center_ = arrays["center"]
            standardizer.scale_ = arrays["scale"]
            model = cls(
                bands=tuple(header["bands"]),
                standardizer=standardizer,
                clusterer=load_model(arrays["engine"].tobytes()),
                order=arrays["order"],
                subclusters=Subclusters(
                    arrays["subcluster_centres"],
                    arrays["subcluster_cluster"],
                    float(header["subcluster_offset"]),
                    *_sides(header["subcluster_sides"], arrays["subcluster_wet"]),
                ),
            )
            # One row through the whole model: parts that disagree fail here, not later.
            model.classify(np.zeros((1, len(model.bands)), np.float32), n_jobs=1)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(
                "The model file is damaged: its contents do not fit together.", got=repr(error)
            ) from error
        return model

    def to_text(self) -> str:
        """Write the model as text, for an attribute of a Dataset."""
        return b64encode(self.to_bytes()).decode("ascii")

    @classmethod
    def of(cls, segmentation: xr.Dataset) -> SegmentationModel:
        """Take the model out of a segmentation made by `segment`.

        Raises
        ------
        ModelFileError
            If the Dataset carries none.
        """
        text = segmentation.attrs.get("model")
        if not isinstance(text, str):
            raise ModelFileError(
                "The Dataset holds no model.",
                expected="a segmentation, with its attribute 'model'",
                got=f"attributes {sorted(map(str, segmentation.attrs))}",
                remedy="Pass what segment(…) returned.",
            )
        try:
            data = b64decode(text, validate=True)
        except ValueError as error:
            raise ModelFileError("The attribute 'model' is damaged.", got=str(error)) from error
        return cls.from_bytes(data)


def _sides(
    stored: list[float] | None, wet: NDArray[Any]
) -> tuple[Sides | None, NDArray[np.bool_] | None]:
    """Read the sides of the subclusters as they were written."""
    if stored is None:
        return None, None
    high, low, ratio = stored
    return Sides(int(high), int(low), float(ratio)), wet.astype(bool)


def _classify_window(
    block: NDArray[Any], model: SegmentationModel, n_jobs: int | None = None
) -> NDArray[np.uint8]:
    """Label spectra of shape (…, band, y, x); gives (…, 2, y, x)."""
    upright = np.moveaxis(block, -3, -1)
    classes = model.classify(upright.reshape(-1, block.shape[-3]), n_jobs)
    return np.moveaxis(classes.reshape(*upright.shape[:-1], 2), -1, -3)


def _as_map(values: Any, scene: xr.DataArray) -> xr.DataArray:
    """Dress classes in the place and time of the scene, (…, band, y, x), that they are of."""
    dims = [dim for dim in scene.dims if dim != "band"]
    coords = {name: coord for name, coord in scene.coords.items() if "band" not in coord.dims}
    attrs = {key: value for key, value in scene.attrs.items() if key not in OF_VALUES}
    return xr.DataArray(values, dims=dims, coords=coords, attrs=attrs)
