"""The estimator: scikit-learn's conventions around the engine, for NumPy and Dask arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import sklearn.utils.validation
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.spectral.choose import choose_n_clusters
from strandline.spectral.ensemble import fit_ensemble
from strandline.spectral.fitting import SAMPLE_ROWS, Model, fit_prepared, prepare, working_dtype
from strandline.spectral.parameters import checked_settings, checked_weight
from strandline.spectral.sampling import draw_indexed_sample, is_dask, plain_array
from strandline.spectral.tiles import NOT_LABELLED, map_rows

_validation: Any = sklearn.utils.validation  # scikit-learn has no types


_NO_LABEL = np.int32(NOT_LABELLED)
_NO_SHARE = np.float32(np.nan)


@dataclass(frozen=True)
class AssignedLabels:
    """Where users of dask-ml look for the labels.

    Attributes
    ----------
    labels_ : ndarray or dask.array.Array of int32, shape (n_samples,)
    """

    labels_: Any


class SpectralClustering(  # type: ignore[no-untyped-call]  # scikit-learn has no types
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Spectral clustering of any number of samples, through landmarks.

    The model is fitted to one deterministic sample of the rows; labels of all rows, and
    of new ones, come from that model tile by tile. One seed gives the same bytes under
    any chunking, number of threads or workers.

    Parameters
    ----------
    n_clusters : int or "auto"
        Number of clusters. "auto" chooses one of 2 … `max_clusters`, at the cost of a few
        fits: the last before a cluster would have to be cut where there is no gap. The
        model is then that of the chosen number, to the byte.
    max_clusters : int
        The largest number that "auto" considers.
    affinity : {"auto", "rbf", "nearest_neighbors"}, name of a pairwise kernel, or callable
        ``"rbf"``: a Gaussian kernel; the steadiest on data that fills few dimensions,
        like the spectra of a scene, and fast. ``"nearest_neighbors"``: sparse graphs
        between samples and their nearest landmarks; the best on data of many dimensions,
        several times slower. ``"auto"``: the one that suits the data, which are said to
        fill few dimensions up to four (`dimension.filled_dimensions`); ``"rbf"`` if
        `gamma` is a number. Other names are those of
        `sklearn.metrics.pairwise.pairwise_kernels`; a callable takes ``(X, Z)`` and
        returns the matrix of affinities.
    gamma : float, "auto" or None
        Kernel coefficient, in 1/units². "auto" and None: from the data's own scale for
        ``"rbf"``, scikit-learn's default for other kernels. No effect on
        ``"nearest_neighbors"``, whose scale always comes from the data.
    n_components : int, optional
        Number of landmarks, as in dask-ml; for ``"nearest_neighbors"``, in each of its
        graphs. None: chosen from `n_clusters`.
    n_neighbors : int
        Nearest landmarks per sample, for ``"nearest_neighbors"``.
    random_state : int, RandomState or None
        None means 0: results are reproducible unless asked otherwise.
    n_init : int
        Starts of the k-means in the embedding.
    assign_labels : {"kmeans", "cluster_qr", "discretize"} or clusterer
        How clusters are found in the embedding. ``"cluster_qr"`` (pivoted QR) and
        ``"discretize"`` (rotation) do without k-means. A clusterer is an object with
        ``fit_predict``, like those of scikit-learn: it sees up to 2,000 embedded
        prototypes (with their mass, if it takes ``sample_weight``) and decides how many
        clusters there are; `n_clusters` then says how finely the embedding resolves.
    kernel_params : mapping, optional
        Parameters of a named kernel or a callable.
    kmeans_params : mapping, optional
        ``n_init``, ``max_iter`` and ``tol`` of the k-means in the embedding; other keys
        are accepted for compatibility and have no effect.
    degree, coef0 : float
        For the polynomial and sigmoid kernels.
    persist_embedding : bool
        For compatibility with dask-ml; has no effect (the embedding is never stored).
    n_stability : int
        Further models for `stability_`, fitted to the same samples through other, few
        landmarks; each is cheaper than the first. 8 is a good number.
    n_jobs : int, optional
        Threads for NumPy input. None: every usable CPU. Never changes the result.

    Attributes
    ----------
    labels_ : ndarray or dask.array.Array of int32, shape (n_samples,)
        0 is the cluster with the darkest mean sample. -1 where a sample has NaN.
    stability_ : ndarray or dask.array.Array of float32, shape (n_samples,)
        Share of the `n_stability` further models that agree with the sample's label; low
        where clusters overlap. NaN where a sample has NaN. Only with ``n_stability > 0``.
    ensemble_ : Ensemble
        The further models. Only with ``n_stability > 0``.
    assign_labels_ : AssignedLabels
        Holds the same `labels_`, for code written for dask-ml.
    n_clusters_ : int
        Number of clusters found: `n_clusters`, unless that is "auto", the samples allow
        only fewer, or a clusterer decided.
    affinity_ : str or callable
        The affinity that was used: never ``"auto"``.
    choice_ : DataFrame
        What "auto" considered, indexed by ``n_clusters``: ``eigenvalue``, ``gap`` to the
        next, ``conductance`` of the leakiest cluster (chance that a step to a neighbour
        leaves it), ``contrast`` (how much worse that is with one more cluster; the largest
        is chosen), ``stability`` (share of samples on which models with other, few
        landmarks agree), ``chosen``. Only with ``n_clusters="auto"``.
    eigenvalues_ : ndarray of float64, shape (n_vectors,)
        Leading eigenvalues of the normalised graph, descending.
    n_features_in_ : int
        Number of features.
    model_ : Model
        All that labels depend on.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [0.9, 1.0], [1.0, 0.9]])
    >>> SpectralClustering(n_clusters=2).fit_predict(X)
    array([0, 0, 1, 1], dtype=int32)
    """

    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        n_clusters: int | str = 8,
        *,
        max_clusters: int = 12,
        affinity: str | Callable[..., Any] = "auto",
        gamma: float | str | None = None,
        n_components: int | None = None,
        n_neighbors: int = 5,
        random_state: Any = None,
        n_init: int = 32,
        assign_labels: Any = "kmeans",
        kernel_params: Mapping[str, Any] | None = None,
        kmeans_params: Mapping[str, Any] | None = None,
        degree: float = 3,
        coef0: float = 1,
        persist_embedding: bool = False,
        n_stability: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.affinity = affinity
        self.gamma = gamma
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.random_state = random_state
        self.n_init = n_init
        self.assign_labels = assign_labels
        self.kernel_params = kernel_params
        self.kmeans_params = kmeans_params
        self.degree = degree
        self.coef0 = coef0
        self.persist_embedding = persist_embedding
        self.n_stability = n_stability
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the model and label the samples.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            NumPy or Dask array chunked any way, or an object with such an array as
            ``.data``. Rows with NaN take no part.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Not negative. Weight zero: labelled, but without influence.

        Returns
        -------
        self

        Raises
        ------
        InvalidDataError
            Infinities, or fewer samples without NaN than clusters.
        ConfigurationError
            A parameter that cannot work.
        """
        settings = checked_settings(self)
        array = self._checked(X, reset=True)
        if sample_weight is not None:
            sample_weight = checked_weight(sample_weight, array)
        sample = draw_indexed_sample(array, SAMPLE_ROWS, settings.seed)
        if settings.n_landmarks is not None and settings.n_landmarks > array.shape[0]:
            raise ConfigurationError(
                "There are more landmarks than samples.",
                expected=f"n_components <= {array.shape[0]}",
                got=str(settings.n_landmarks),
            )
        if len(sample.rows) < settings.n_clusters:
            raise InvalidDataError(
                f"n_samples={len(sample.rows)} without NaN are too few.",
                expected=f"at least n_clusters={settings.n_clusters}",
                got=str(len(sample.rows)),
                remedy="Ask for fewer clusters.",
            )
        weight = None if sample_weight is None else sample_weight[sample.numbers]
        prepared = prepare(sample.rows, weight, settings)
        self._forget("choice_", "ensemble_", "stability_")
        if self.n_clusters == "auto":
            choice = choose_n_clusters(prepared, settings, self.max_clusters)
            self.choice_ = choice.table
            settings = replace(settings, n_clusters=choice.n_clusters)
        self.model_: Model = fit_prepared(prepared, settings)
        self.n_clusters_ = self.model_.rule.n_clusters
        self.eigenvalues_ = self.model_.eigenvalues
        self.labels_ = self._label(array)
        self.assign_labels_ = AssignedLabels(self.labels_)
        if self.n_stability:
            self.ensemble_ = fit_ensemble(prepared, settings, self.model_, self.n_stability)
            self.stability_ = self._agreement(array)
        return self

    def fit_predict(  # type: ignore[override]  # the one extra argument is named
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> Any:
        """Fit the model and return the samples' labels, as in `labels_`."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X: Any) -> Any:
        """Label samples by the fitted model.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            As for `fit`.

        Returns
        -------
        ndarray or dask.array.Array of int32, shape (n_samples,)
            Lazy for Dask input; -1 where a sample has NaN.
        """
        self.fitted_model()
        return self._label(self._checked(X, reset=False))

    def transform(self, X: Any) -> Any:
        """Spectral coordinates of samples: unit vectors in which clusters are compact.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            As for `fit`.

        Returns
        -------
        ndarray or dask.array.Array of float32 or float64, shape (n_samples, n_vectors)
            Lazy for Dask input; NaN where a sample has NaN.
        """
        model = self.fitted_model()
        array = self._checked(X, reset=False)
        missing = working_dtype(array.dtype).type(np.nan)
        return _by_rows(model.embedding, array, missing, self._n_features_out, n_jobs=self.n_jobs)

    def stability(self, X: Any) -> Any:
        """Tell how sure labels are, by whether models with other landmarks agree.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            As for `fit`.

        Returns
        -------
        ndarray or dask.array.Array of float32, shape (n_samples,)
            Share of the `n_stability` further models that give the sample the label of
            `predict`. Lazy for Dask input; NaN where a sample has NaN.

        Raises
        ------
        ConfigurationError
            If the model was fitted with ``n_stability=0``.
        """
        self.fitted_model()
        if not hasattr(self, "ensemble_"):
            raise ConfigurationError(
                "The model was fitted without others to compare it with.",
                expected="n_stability >= 1 when it was fitted",
                got=str(self.n_stability),
                remedy="Fit SpectralClustering(…, n_stability=8).",
            )
        return self._agreement(self._checked(X, reset=False))

    def fit_transform(  # type: ignore[override]  # the one extra argument is named
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> Any:
        """Fit the model and return the samples' spectral coordinates."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def fitted_model(self) -> Model:
        """Give the fitted model, or raise scikit-learn's NotFittedError."""
        _validation.check_is_fitted(self, "model_")
        return self.model_

    @property
    def affinity_(self) -> str | Callable[..., Any]:
        """The affinity that was used."""
        return self.fitted_model().affinity

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.rule.n_vectors)

    def _forget(self, *names: str) -> None:
        """Drop what an earlier fit left and this one does not renew."""
        for name in names:
            self.__dict__.pop(name, None)

    def _agreement(self, array: Any) -> Any:
        return _by_rows(self.ensemble_.agreement, array, _NO_SHARE, n_jobs=self.n_jobs)

    def _label(self, array: Any) -> Any:
        return _by_rows(self.model_.labels, array, _NO_LABEL, n_jobs=self.n_jobs)

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Get the numeric table inside `X`; Dask arrays are checked without computing."""
        array = plain_array(X)
        if not is_dask(array):
            try:
                with np.errstate(invalid="ignore"):  # it adds everything up to find infinities
                    table = _validation.validate_data(
                        self, array, reset=reset, dtype="numeric", ensure_all_finite="allow-nan"
                    )
            except ValueError as error:
                if "infinity" in str(error):
                    raise InvalidDataError(
                        "The samples contain infinity.",
                        expected="finite values, or NaN where nothing was observed",
                        remedy="Mask them with NaN.",
                    ) from error
                raise
            return table.astype(np.uint8) if table.dtype == bool else table
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise InvalidDataError(
                "Samples have to form a table of numbers.",
                expected="a real array of shape (n_samples, n_features)",
                got=f"shape {tuple(array.shape)}, dtype {array.dtype}",
            )
        if reset:
            self.n_features_in_ = int(array.shape[1])
        elif array.shape[1] != self.n_features_in_:
            raise InvalidDataError(
                "The samples have another number of features than the model.",
                expected=f"{self.n_features_in_} features",
                got=str(array.shape[1]),
            )
        return array.astype(np.uint8) if array.dtype == bool else array

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _by_rows(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    array: Any,
    missing: np.generic,
    width: int | None = None,
    *,
    n_jobs: int | None,
) -> Any:
    """Map the rows of a NumPy array, or lazily of a Dask array, to a number or `width` numbers.

    The result has the type of `missing`, which stands where a row has NaN.
    """
    if not is_dask(array):
        shape = (len(array),) if width is None else (len(array), width)
        return map_rows(function, array, np.full(shape, missing), n_jobs)
    shapes: dict[str, Any] = (
        {"drop_axis": 1} if width is None else {"chunks": (array.chunks[0], (width,))}
    )
    return array.rechunk({1: -1}).map_blocks(
        partial(_by_rows, function, missing=missing, width=width, n_jobs=1),
        dtype=missing.dtype,
        meta=np.empty((0,) if width is None else (0, 0), missing.dtype),
        **shapes,
    )
