"""Fitted models as bytes: an open, versioned format that executes nothing when read.

A model file is a NumPy ``.npz`` archive. Its member ``header`` is JSON (UTF-8) that
names the format, its version, the estimator's parameters and the fitted numbers; the
other members are plain arrays. Nothing in it is pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strandline.errors import ModelFileError
from strandline.spectral.affinity import Frame, GaussianKernel, NeighbourWeights, PairwiseKernel
from strandline.spectral.archive import pack, unpack
from strandline.spectral.assign import LinearRule
from strandline.spectral.cells import Cells
from strandline.spectral.embedding import JointMap, LandmarkMap, NystromMap
from strandline.spectral.ensemble import Ensemble
from strandline.spectral.fitting import Model
from strandline.spectral.prototypes import PrototypeRule, is_clusterer

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
    parameters = dict(model.get_params(deep=False))  # type: ignore[no-untyped-call]
    if is_clusterer(parameters["assign_labels"]):
        # The rule says all that labels need; the object itself would have to be pickled.
        parameters["assign_labels"] = " ".join(repr(parameters["assign_labels"]).split())
    arrays, details = _described(fitted)
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "parameters": parameters,
        "n_features": model.n_features_in_,
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])] or None,
        **details,
    }
    if hasattr(model, "choice_"):
        header["choice"] = model.choice_.reset_index().to_dict("split", index=False)
    if hasattr(model, "ensemble_"):
        header["members"] = []
        for number, member in enumerate(model.ensemble_.members):
            parts, details = _described(member)
            arrays |= {f"member_{number}_{name}": part for name, part in parts.items()}
            arrays[f"member_{number}_names"] = model.ensemble_.names[number]
            header["members"].append(details)
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


def _described(fitted: Model) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and numbers of which one model consists."""
    linear = fitted.rule.nearest if isinstance(fitted.rule, PrototypeRule) else fitted.rule
    arrays: dict[str, NDArray[Any]] = {
        "origin": fitted.frame.origin,
        "eigenvalues": fitted.eigenvalues,
        "rule_weights": linear.weights,
        "rule_bias": linear.bias,
    }
    if isinstance(fitted.rule, PrototypeRule):
        arrays["rule_cluster"] = fitted.rule.cluster
    if fitted.cells is not None:
        arrays |= {"cells": fitted.cells.prototypes, "cell_labels": fitted.cells.labels}
    details: dict[str, Any] = {"unit": fitted.frame.unit, "dtype": fitted.frame.dtype.name}
    if isinstance(fitted.embed, JointMap):
        details["graphs"] = []
        for number, part in enumerate(fitted.embed.maps):
            neighbours = part.neighbours
            arrays |= {
                f"landmarks_{number}": neighbours.landmarks,
                f"rows_{number}": part.rows,
            }
            details["graphs"].append(
                {
                    "n_neighbors": neighbours.n_neighbors,
                    "typical": neighbours.typical,
                    "locality": neighbours.locality,
                }
            )
        return arrays, details
    kernel = fitted.embed.kernel
    arrays |= {
        "landmarks": kernel.landmarks,
        "matrix": fitted.embed.matrix,
        "offset": fitted.embed.offset,
    }
    if isinstance(kernel, GaussianKernel):
        details["gaussian"] = {"gamma": kernel.gamma}
    else:
        details["pairwise"] = {"kernel": kernel.kernel, "parameters": dict(kernel.parameters)}
    return arrays, details


def _rebuild(arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> SpectralClustering:
    from strandline.spectral.estimator import SpectralClustering

    model = SpectralClustering(**header["parameters"])
    model.n_features_in_ = int(header["n_features"])
    model.model_ = _rebuild_model(arrays, header, model.n_features_in_)
    model.n_clusters_ = model.model_.rule.n_clusters
    model.eigenvalues_ = model.model_.eigenvalues
    if "choice" in header:
        model.choice_ = pd.DataFrame(**header["choice"]).set_index("n_clusters")
    if "members" in header:
        model.ensemble_ = _rebuild_ensemble(arrays, header, model.model_)
    if header["feature_names"] is not None:
        # Only present when the model was fitted to a table with names, as in scikit-learn.
        model.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return model


def _rebuild_model(
    arrays: dict[str, NDArray[Any]], details: dict[str, Any], n_features: int
) -> Model:
    embed: NystromMap | JointMap
    if "graphs" in details:
        embed = JointMap(
            tuple(
                LandmarkMap(
                    NeighbourWeights(arrays[f"landmarks_{number}"], **graph),
                    arrays[f"rows_{number}"],
                )
                for number, graph in enumerate(details["graphs"])
            )
        )
    else:
        kernel: GaussianKernel | PairwiseKernel
        if "gaussian" in details:
            kernel = GaussianKernel(arrays["landmarks"], **details["gaussian"])
        else:
            kernel = PairwiseKernel(arrays["landmarks"], **details["pairwise"])
        embed = NystromMap(kernel, arrays["matrix"], arrays["offset"])
    frame = Frame(arrays["origin"], float(details["unit"]), np.dtype(details["dtype"]))
    cells = Cells(arrays["cells"], arrays["cell_labels"]) if "cells" in arrays else None
    model = Model(frame, embed, _rebuild_rule(arrays), arrays["eigenvalues"], cells)
    # One row through the whole model: arrays whose shapes disagree fail here, not later.
    one = np.zeros((1, n_features), frame.dtype)
    model.labels(one)
    model.rule(model.embedding(one))
    return model


def _rebuild_ensemble(
    arrays: dict[str, NDArray[Any]], header: dict[str, Any], main: Model
) -> Ensemble:
    members, names = [], []
    for number, details in enumerate(header["members"]):
        prefix = f"member_{number}_"
        parts = {
            name.removeprefix(prefix): part
            for name, part in arrays.items()
            if name.startswith(prefix)
        }
        members.append(_rebuild_model(parts, details, int(header["n_features"])))
        names.append(parts["names"])
        if len(names[-1]) != members[-1].rule.n_clusters:
            raise ValueError(f"{len(names[-1])} names, {members[-1].rule.n_clusters} clusters")
    return Ensemble(main, tuple(members), tuple(names))


def _rebuild_rule(arrays: dict[str, NDArray[Any]]) -> LinearRule | PrototypeRule:
    linear = LinearRule(arrays["rule_weights"], arrays["rule_bias"])
    if "rule_cluster" not in arrays:
        return linear
    cluster = arrays["rule_cluster"]
    if cluster.shape != linear.bias.shape or cluster.min() < 0:
        raise ValueError(f"prototypes of shape {linear.bias.shape}, clusters {cluster.shape}")
    return PrototypeRule(linear, cluster)
