"""Check what a user gave to the estimator, and say clearly what is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn.utils.validation
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, IgnoredParameterWarning, InvalidDataError
from strandline.spectral.assign import MAX_ITERATIONS, TOLERANCE
from strandline.spectral.fitting import Settings
from strandline.spectral.prototypes import is_clusterer
from strandline.spectral.sampling import is_dask, plain_array

if TYPE_CHECKING:
    from strandline.spectral.estimator import SpectralClustering

_validation: Any = sklearn.utils.validation  # scikit-learn has no types
_KMEANS_PARAMETERS = {"n_init", "max_iter", "tol"}
_warned: set[str] = set()


def checked_settings(estimator: SpectralClustering) -> Settings:
    """Check an estimator's parameters, all before any work is done."""
    for name in ("n_neighbors", "n_init"):
        _check_count(name, getattr(estimator, name))
    _check_count("max_clusters", estimator.max_clusters, least=2)
    automatic = isinstance(estimator.n_clusters, str) and estimator.n_clusters == "auto"
    if not automatic:
        _check_count("n_clusters", estimator.n_clusters, other="'auto'")
    if estimator.n_components is not None:
        _check_count("n_components", estimator.n_components)
    _check_count("n_stability", estimator.n_stability, least=0)
    gamma = _checked_gamma(estimator.gamma)
    kmeans = dict(estimator.kmeans_params or {})
    for name in sorted(set(kmeans) - _KMEANS_PARAMETERS):
        _warn_ignored(f"kmeans_params[{name!r}]")
    if gamma is not None and estimator.affinity == "nearest_neighbors":
        _warn_ignored("gamma (with affinity='nearest_neighbors')")
    if estimator.persist_embedding:
        _warn_ignored("persist_embedding")
    n_init = kmeans.get("n_init", estimator.n_init)
    max_iter = kmeans.get("max_iter", MAX_ITERATIONS)
    _check_count("kmeans_params['n_init']", n_init)
    _check_count("kmeans_params['max_iter']", max_iter)
    return Settings(
        n_clusters=1 if automatic else int(estimator.n_clusters),
        affinity=_checked_affinity(estimator.affinity),
        gamma=gamma,
        n_landmarks=None if estimator.n_components is None else int(estimator.n_components),
        n_neighbors=int(estimator.n_neighbors),
        kernel_parameters=_kernel_parameters(estimator, gamma),
        seed=_seed(estimator.random_state),
        n_init=int(n_init),
        max_iter=int(max_iter),
        tol=float(kmeans.get("tol", TOLERANCE)),
        n_jobs=estimator.n_jobs,
        assign_labels=_checked_assignment(estimator.assign_labels),
    )


def _kernel_parameters(estimator: SpectralClustering, gamma: float | None) -> dict[str, Any]:
    from sklearn.metrics.pairwise import KERNEL_PARAMS

    given = dict(estimator.kernel_params or {})
    if callable(estimator.affinity):
        return given
    usual = {"gamma": gamma, "degree": estimator.degree, "coef0": estimator.coef0}
    affinity = "rbf" if estimator.affinity == "auto" else estimator.affinity
    allowed = KERNEL_PARAMS.get(affinity, ())
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise ConfigurationError(
            f"kernel_params has names that the affinity {estimator.affinity!r} does not know.",
            expected=", ".join(sorted(allowed)) or "no parameters",
            got=", ".join(unknown),
        )
    # A gamma of None is each kernel's own default, which not every kernel spells as None.
    return {n: value for n, value in usual.items() if n in allowed and value is not None} | given


def _check_count(name: str, value: Any, *, least: int = 1, other: str | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigurationError(
            f"{name} has to be a whole number.",
            expected=f"{least}, {least + 1}, {least + 2}, …" + (f" or {other}" if other else ""),
            got=repr(value),
        )


def _checked_affinity(affinity: Any) -> str | Callable[..., Any]:
    if callable(affinity):
        return affinity  # type: ignore[no-any-return]  # any callable will do
    from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS

    names = sorted({"auto", "nearest_neighbors", *PAIRWISE_KERNEL_FUNCTIONS} - {"precomputed"})
    if affinity not in names:
        raise ConfigurationError(
            "Unknown affinity.", expected=f"a function or one of {names}", got=repr(affinity)
        )
    return str(affinity)


def _checked_assignment(assign_labels: Any) -> Any:
    names = ("kmeans", "cluster_qr", "discretize")
    if is_clusterer(assign_labels) or (isinstance(assign_labels, str) and assign_labels in names):
        return assign_labels
    raise ConfigurationError(
        "Unknown way to assign labels.",
        expected=f"{', '.join(map(repr, names))} or a clusterer (an object with fit_predict)",
        got=repr(assign_labels),
        remedy="A model that was read from a file holds only the description of a clusterer.",
    )


def _checked_gamma(gamma: Any) -> float | None:
    if gamma is None or (isinstance(gamma, str) and gamma == "auto"):
        return None
    number = isinstance(gamma, int | float | np.number) and not isinstance(gamma, bool)
    if not (number and 0.0 < gamma < np.inf):
        raise ConfigurationError(
            "gamma has to be positive.", expected="a number > 0, 'auto' or None", got=repr(gamma)
        )
    return float(gamma)


def checked_weight(weight: Any, array: Any) -> NDArray[np.float64]:
    """Check that weights match the samples and are finite and not negative."""
    values = weight.compute() if is_dask(plain_array(weight)) else weight
    if not is_dask(array):
        values = _validation._check_sample_weight(
            values, array, dtype=np.float64, ensure_non_negative=True
        )
    checked = np.asarray(values, dtype=np.float64)
    if checked.shape != (array.shape[0],):
        raise InvalidDataError(
            "sample_weight does not match the samples.",
            expected=f"shape ({array.shape[0]},)",
            got=f"shape {checked.shape}",
        )
    if not np.isfinite(checked).all() or (checked < 0.0).any():
        raise InvalidDataError("sample_weight has to be finite and not negative.")
    return checked


def _seed(random_state: Any) -> int:
    if random_state is None:
        return 0
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        return int(random_state) % 2**32
    raise ConfigurationError(
        "random_state is of an unknown kind.",
        expected="an integer, a RandomState, a Generator or None",
        got=repr(random_state),
    )


def _warn_ignored(name: str) -> None:
    """Say once per process that a parameter has no effect."""
    if name in _warned:
        return
    _warned.add(name)
    warnings.warn(
        f"{name} is accepted for compatibility and has no effect.",
        IgnoredParameterWarning,
        stacklevel=4,
    )
