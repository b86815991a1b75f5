"""Fitted models as bytes: an open, versioned format that executes nothing when read.

A model file is a NumPy ``.npz`` archive. Its member ``header`` is JSON (UTF-8) that
names the format, its version, the estimator's parameters and the fitted numbers; the
other members are plain arrays. Nothing in it is pickled.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ModelFileError
from strandline.spectral.affinity import Frame, GaussianKernel, NeighbourWeights, PairwiseKernel
from strandline.spectral.assign import LinearRule
from strandline.spectral.embedding import LandmarkMap, NystromMap
from strandline.spectral.fitting import Model

if TYPE_CHECKING:
    from strandline.spectral.estimator import SpectralClustering

FORMAT = "strandline spectral model"
VERSION = 1


def dump_model(model: SpectralClustering) -> bytes:
    """Turn a fitted model into bytes.

    Parameters
    ----------
    model : SpectralClustering
        Fitted, with an affinity that has a name (a function cannot be written).

    Returns
    -------
    bytes
        The same for the same model.

    Raises
    ------
    ModelFileError
        If a parameter is a function or an object.

    Examples
    --------
    >>> import numpy as np
    >>> from strandline.spectral import SpectralClustering
    >>> X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 5, axis=0)
    >>> model = SpectralClustering(n_clusters=2).fit(X)
    >>> bool((load_model(dump_model(model)).predict(X) == model.labels_).all())
    True
    """
    fitted = model.fitted_model()
    arrays: dict[str, NDArray[Any]] = {
        "origin": fitted.frame.origin,
        "eigenvalues": fitted.eigenvalues,
        "rule_weights": fitted.rule.weights,
        "rule_bias": fitted.rule.bias,
    }
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "parameters": dict(model.get_params(deep=False)),  # type: ignore[no-untyped-call]
        "n_features": model.n_features_in_,
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])] or None,
        "unit": fitted.frame.unit,
        "dtype": fitted.frame.dtype.name,
    }
    if isinstance(fitted.embed, LandmarkMap):
        neighbours = fitted.embed.neighbours
        arrays |= {"landmarks": neighbours.landmarks, "rows": fitted.embed.rows}
        header["neighbours"] = {
            "n_neighbors": neighbours.n_neighbors,
            "typical": neighbours.typical,
            "locality": neighbours.locality,
        }
    else:
        kernel = fitted.embed.kernel
        arrays |= {
            "landmarks": kernel.landmarks,
            "matrix": fitted.embed.matrix,
            "offset": fitted.embed.offset,
        }
        if isinstance(kernel, GaussianKernel):
            header["gaussian"] = {"gamma": kernel.gamma}
        else:
            header["pairwise"] = {"kernel": kernel.kernel, "parameters": dict(kernel.parameters)}
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            "This model cannot be written to a file.",
            expected="parameters that are numbers, names or None",
            got=str(error),
            remedy="Use an affinity that has a name, and an integer random_state.",
        ) from error
    arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    target = io.BytesIO()
    # Written member by member: np.savez would stamp the file with the time of day.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), (1, 0), False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return target.getvalue()


def load_model(data: bytes) -> SpectralClustering:
    """Read a model written by `dump_model`; it labels samples with the same bytes.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    SpectralClustering
        Ready for `predict` and `transform`; `labels_` stay with the training data and
        are not part of a file.

    Raises
    ------
    ModelFileError
        If the bytes are damaged, something else, or of another version.
    """
    arrays, header = _read(data)
    try:
        return _rebuild(arrays, header)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            "The model file is damaged: its contents do not fit together.", got=repr(error)
        ) from error


def _read(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error,
            NotImplementedError, AttributeError, RuntimeError) as error:  # fmt: skip
        raise ModelFileError(
            "The model file is damaged or is no model file.",
            expected="an .npz archive with a JSON header",
            got=f"{len(data)} bytes ({error})",
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError("The file holds no Strandline model.", expected=f"format {FORMAT!r}")
    if header.get("version") != VERSION:
        raise ModelFileError(
            "The model file was written by another version.",
            expected=f"format version {VERSION}",
            got=str(header.get("version")),
            remedy="Fit the model again, or read the file with the release that wrote it.",
        )
    return arrays, header


def _rebuild(arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> SpectralClustering:
    from strandline.spectral.estimator import SpectralClustering

    embed: NystromMap | LandmarkMap
    if "neighbours" in header:
        embed = LandmarkMap(
            NeighbourWeights(arrays["landmarks"], **header["neighbours"]), arrays["rows"]
        )
    else:
        kernel: GaussianKernel | PairwiseKernel
        if "gaussian" in header:
            kernel = GaussianKernel(arrays["landmarks"], **header["gaussian"])
        else:
            kernel = PairwiseKernel(arrays["landmarks"], **header["pairwise"])
        embed = NystromMap(kernel, arrays["matrix"], arrays["offset"])
    frame = Frame(arrays["origin"], float(header["unit"]), np.dtype(header["dtype"]))
    rule = LinearRule(arrays["rule_weights"], arrays["rule_bias"])
    model = SpectralClustering(**header["parameters"])
    fitted = Model(frame, embed, rule, arrays["eigenvalues"])
    # One row through the whole model: arrays whose shapes disagree fail here, not later.
    fitted.labels(np.zeros((1, int(header["n_features"])), frame.dtype))
    model.model_ = fitted
    model.eigenvalues_ = fitted.eigenvalues
    model.n_features_in_ = int(header["n_features"])
    if header["feature_names"] is not None:
        # Only present when the model was fitted to a table with names, as in scikit-learn.
        model.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return model
