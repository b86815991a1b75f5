"""Whether one seed gives the same bytes under any chunking, threads and worker processes.

    python benchmarks/same_bytes.py

The same samples are fitted and labelled in each way; labels and eigenvalues must be the
same to the byte. (A worker that is killed in the middle is tested in tests/test_streaming.py.)
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import datasets
import machine
from report import Goal, table

N_CLUSTERS = 4


def digests(
    samples: int = 90_000, data: str | None = None, workers: Sequence[int] = (1, 2)
) -> dict[str, str]:
    """For each way to compute, the beginning of the SHA-256 of what came out."""
    chosen = data or ("olinda" if datasets.here("olinda") else "mixture")
    X = datasets.load(chosen, samples).X
    found = {}
    for n_jobs in (1, 2):
        found[f"NumPy, n_jobs={n_jobs}"] = _digest(X, n_jobs=n_jobs)
    for title, chunks in _chunkings(X.shape).items():
        found[f"Dask, {title}"] = _digest(X, chunks)
    for count in workers:
        found[f"Dask, worker processes: {count}"] = _on_workers(X, count)
    return found


def _chunkings(shape: tuple[int, int]) -> dict[str, tuple[int, int]]:
    n, d = shape
    return {
        "one chunk": (n, d),
        "quarters": (-(-n // 4), d),
        "1,000 rows": (1000, d),
        "777 rows": (777, d),
        "by feature": (n, 1),
    }


def _digest(X: np.ndarray, chunks: tuple[int, int] | None = None, **parameters: Any) -> str:
    import dask.array as da

    from strandline.spectral import SpectralClustering

    samples = X if chunks is None else da.from_array(X, chunks=chunks)
    model = SpectralClustering(N_CLUSTERS, random_state=1, **parameters).fit(samples)
    labels = np.ascontiguousarray(np.asarray(model.labels_))
    return hashlib.sha256(labels.tobytes() + model.eigenvalues_.tobytes()).hexdigest()[:12]


def _on_workers(X: np.ndarray, workers: int) -> str:
    from distributed import Client

    with Client(n_workers=workers, threads_per_worker=1, dashboard_address=":0"):
        return _digest(X, (7000, X.shape[1]))


def digests_table(found: dict[str, str]) -> str:
    """One line per way."""
    return f"### The same bytes\n\n{table(('computed by', 'SHA-256'), found.items())}"


def goals(found: dict[str, str]) -> Iterator[Goal]:
    """One answer."""
    answers = len(set(found.values()))
    said = f"{answers} {'answer' if answers == 1 else 'answers'} in {len(found)} ways"
    yield Goal("one seed, the same bytes", said, "1", answers == 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=90_000)
    given = parser.parse_args(arguments)
    print(machine.facts())
    print(f"\n{digests_table(digests(given.samples))}")


if __name__ == "__main__":  # worker processes import this file again
    main()
