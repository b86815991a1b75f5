"""Fitted models as bytes: an open, versioned format that executes nothing when read.

A model file is a NumPy ``.npz`` archive. Its member ``header`` is JSON (UTF-8) that
names the format, its version, the estimator's parameters and the fitted numbers; the
other members are plain arrays. Nothing in it is pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ModelFileError
from strandline.spectral.affinity import Frame, GaussianKernel, NeighbourWeights, PairwiseKernel
from strandline.spectral.archive import pack, unpack
from strandline.spectral.assign import LinearRule
from strandline.spectral.cells import Cells
from strandline.spectral.embedding import JointMap, LandmarkMap, NystromMap
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
    if fitted.cells is not None:
        arrays |= {"cells": fitted.cells.prototypes, "cell_labels": fitted.cells.labels}
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "parameters": dict(model.get_params(deep=False)),  # type: ignore[no-untyped-call]
        "n_features": model.n_features_in_,
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])] or None,
        "unit": fitted.frame.unit,
        "dtype": fitted.frame.dtype.name,
    }
    if isinstance(fitted.embed, JointMap):
        header["graphs"] = []
        for number, part in enumerate(fitted.embed.maps):
            neighbours = part.neighbours
            arrays |= {
                f"landmarks_{number}": neighbours.landmarks,
                f"rows_{number}": part.rows,
            }
            header["graphs"].append(
                {
                    "n_neighbors": neighbours.n_neighbors,
                    "typical": neighbours.typical,
                    "locality": neighbours.locality,
                }
            )
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
    return pack(arrays, header)


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
    arrays, header = unpack(data, FORMAT, VERSION)
    try:
        return _rebuild(arrays, header)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            "The model file is damaged: its contents do not fit together.", got=repr(error)
        ) from error


def _rebuild(arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> SpectralClustering:
    from strandline.spectral.estimator import SpectralClustering

    embed: NystromMap | JointMap
    if "graphs" in header:
        embed = JointMap(
            tuple(
                LandmarkMap(
                    NeighbourWeights(arrays[f"landmarks_{number}"], **details),
                    arrays[f"rows_{number}"],
                )
                for number, details in enumerate(header["graphs"])
            )
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
    cells = Cells(arrays["cells"], arrays["cell_labels"]) if "cells" in arrays else None
    fitted = Model(frame, embed, rule, arrays["eigenvalues"], cells)
    # One row through the whole model: arrays whose shapes disagree fail here, not later.
    one = np.zeros((1, int(header["n_features"])), frame.dtype)
    fitted.labels(one)
    rule(fitted.embedding(one))
    model.model_ = fitted
    model.eigenvalues_ = fitted.eigenvalues
    model.n_features_in_ = int(header["n_features"])
    if header["feature_names"] is not None:
        # Only present when the model was fitted to a table with names, as in scikit-learn.
        model.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return model
