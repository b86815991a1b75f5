"""Who does the work: threads of this process, or the workers of a Dask scheduler.

Tiles come back packed and one at a time, in the order in which they are finished. A worker
that dies costs the tiles that it had in hand: Dask gives them to another.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any

from strandline.errors import SchedulerError, StrandlineError

CONNECT_SECONDS = 5
"""How long a scheduler may take to answer."""

WORKER_SECONDS = 20
"""How long a scheduler may be without any worker, at the start or later."""

_POLL_SECONDS = 0.05
_AHEAD = 3  # tiles that are with the workers, per thread of theirs

TileDone = Callable[[str, bytes], None]


@contextmanager
def workers(scheduler: str | None = None) -> Iterator[Any]:
    """Find out who does the work, and say it in our words if they fail.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``.

    Yields
    ------
    distributed.Client or None
        Connected to `scheduler`, or else the active one, or None: threads will do.

    Raises
    ------
    SchedulerError
        If nobody answers, no worker comes, or the work is lost with the workers.
    """
    if scheduler is None:
        client = _active_client()
        if client is None:
            yield None
            return
        with _explained(client):
            yield client
        return
    client = _connected(scheduler)
    try:
        with _explained(client), client.as_current():
            _check_workers(client, scheduler)
            yield client
    finally:
        client.close(timeout=CONNECT_SECONDS)


@contextmanager
def only_here(client: Any) -> Iterator[None]:
    """Have Dask work in threads of this process, though there is a client.

    Finished maps and results are on this machine; workers may be on others.
    """
    import dask.config

    if client is None:
        yield
        return
    with dask.config.set(scheduler="threads"):
        yield


def finish_tiles(
    tiles: Mapping[str, Any], done: TileDone, client: Any = None, threads: int | None = None
) -> None:
    """Compute tiles, each as soon as somebody is free.

    Parameters
    ----------
    tiles : mapping of str to dask.delayed.Delayed
        Each computes to bytes.
    done : callable
        Is called with a tile's name and bytes when it is finished; here, never on a worker.
    client : distributed.Client, optional
        None: threads of this process.
    threads : int, optional
        How many of them; None: every CPU.
    """
    if client is None:
        _finish_in_threads(tiles, done, threads)
    else:
        _finish_on_workers(tiles, done, client)


def _finish_in_threads(tiles: Mapping[str, Any], done: TileDone, threads: int | None) -> None:
    from dask.base import compute
    from dask.delayed import delayed

    from strandline.spectral.tiles import one_blas_thread, thread_count

    one_at_a_time = threading.Lock()

    def finish(name: str, data: bytes) -> None:
        with one_at_a_time:
            done(name, data)

    last = delayed(finish, pure=False)
    with one_blas_thread():
        compute(  # type: ignore[no-untyped-call]  # Dask is untyped
            [last(name, tile) for name, tile in tiles.items()],
            scheduler="threads",
            num_workers=thread_count(threads),
        )


def _finish_on_workers(tiles: Mapping[str, Any], done: TileDone, client: Any) -> None:
    """Keep the workers busy; what they do not have yet and what is back takes little memory."""
    from distributed import as_completed

    waiting: Any = as_completed()  # type: ignore[no-untyped-call]  # Dask is untyped
    parcels = _parcels(tiles)
    futures: dict[str, Any] = {}
    names: dict[str, str] = {}
    seen = time.monotonic()
    try:
        while True:
            threads = sum(client.nthreads().values())
            for name, parcel in islice(parcels, max(0, _AHEAD * threads - len(futures))):
                future = client.submit(_open_parcel, parcel, pure=False)
                futures[name], names[future.key] = future, name
                waiting.add(future)
            if not futures and threads:
                return
            for future in waiting.next_batch(block=False):
                # Fetched one by one and forgotten at once: few tiles are here at a time.
                name = names.pop(future.key)
                done(name, future.result())
                del futures[name]
            if threads:
                seen = time.monotonic()
            elif time.monotonic() - seen > WORKER_SECONDS:
                raise SchedulerError(
                    "All workers were lost.",
                    remedy="Start workers (dask worker ADDRESS), and run the same command again.",
                )
            time.sleep(_POLL_SECONDS)
    except BaseException:
        client.cancel(list(futures.values()), force=True)
        raise


def _parcels(tiles: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Wrap up each tile as one task: a worker reads what it labels, and no pixel travels."""
    from dask.base import optimize
    from dask.optimization import cull
    from distributed.protocol import pickle

    whole = optimize(*tiles.values())  # type: ignore[no-untyped-call]  # Dask is untyped
    graph = dict(whole[0].__dask_graph__())
    for name, tile in zip(tiles, whole, strict=True):
        own, _ = cull(graph, [tile.key])  # type: ignore[no-untyped-call]  # Dask is untyped
        yield name, pickle.dumps((own, tile.key))  # type: ignore[no-untyped-call]


def _open_parcel(parcel: bytes) -> bytes:
    """Compute a tile, on a worker, in one thread."""
    from dask.local import get_sync
    from distributed.protocol import pickle

    graph, key = pickle.loads(parcel)  # type: ignore[no-untyped-call]
    data: bytes = get_sync(graph, key)
    return data


def _active_client() -> Any:
    """Give the client that a caller has made, if there is one; does not import anything."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


def _connected(scheduler: str) -> Any:
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        # A client that cannot connect leaves a thread and complaints behind: look first.
        host, port = get_address_host_port(scheduler)
        socket.create_connection((host, port), CONNECT_SECONDS).close()
        # Not the default: Dask keeps a default that never connected, and all later work of the
        # process would wait for it for ever.
        return Client(  # type: ignore[no-untyped-call]  # Dask is untyped
            scheduler, timeout=CONNECT_SECONDS, name="strandline", set_as_default=False
        )
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise SchedulerError(
            f"No Dask scheduler answers at '{scheduler}'.",
            expected="an address such as tcp://10.0.0.1:8786",
            got=(str(error) or type(error).__name__).strip().rstrip("."),
            remedy="Start one with `dask scheduler`; it says its address.",
        ) from error


def _check_workers(client: Any, scheduler: str) -> None:
    from strandline import __version__

    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as error:
        raise SchedulerError(
            f"The Dask scheduler at '{scheduler}' has no workers.",
            expected=f"one within {WORKER_SECONDS} seconds",
            remedy=f"Start some with `dask worker {scheduler}`.",
        ) from error
    try:
        versions = set(client.run(_own_version).values())
    except ImportError as error:
        raise SchedulerError(
            "The workers cannot import Strandline.",
            got=str(error),
            remedy="Install the same version there as here.",
        ) from error
    if versions != {__version__}:
        raise SchedulerError(
            "The workers have another version of Strandline.",
            expected=__version__,
            got=", ".join(sorted(versions)),
            remedy="Install the same version there as here.",
        )


def _own_version() -> str:
    from strandline import __version__

    return __version__


@contextmanager
def _explained(client: Any) -> Iterator[None]:
    """Say in our words what distributed says when workers or the scheduler are lost."""
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except StrandlineError:
        raise
    except KilledWorker as error:
        raise SchedulerError(
            "Workers died repeatedly at the same task.",
            got=str(error).split(". ")[0],
            remedy="They may lack memory: give each more, or fewer threads.",
        ) from error
    except (CancelledError, OSError) as error:
        of_scheduler = isinstance(error, CancelledError | CommClosedError)
        if not of_scheduler and client.status == "running":
            raise  # a file, not the scheduler
        raise SchedulerError(
            "The connection to the Dask scheduler was lost.",
            got=f"status '{client.status}'",
            remedy="Start it again, with workers, and run the same command again.",
        ) from error
