"""What numbers were measured on, as Markdown; and the memory that processes take.

python benchmarks/machine.py
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("strandline", "numpy", "scipy", "scikit-learn", "dask", "distributed", "dask-ml")


def facts() -> str:
    """Processor, memory, load, versions and BLAS threads: a Markdown list."""
    return "\n".join(f"- {line}" for line in (_hardware(), _versions(), *_blas()))


def _hardware() -> str:
    total, free = memory_mib("MemTotal"), memory_mib("MemAvailable")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{processor()} ({platform.machine()}), {cpus()} CPUs; "
        f"{total / 1024:.0f} GiB of memory, {free / 1024:.0f} GiB free; "
        f"load at the start {load}; {platform.system()} {platform.release()}"
    )


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found) + _commit()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"; commit {said.strip()}"


def _blas() -> list[str]:
    import numpy  # noqa: F401  (loads its BLAS, so that it can be listed)
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return [
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', 'generic')}), "
        f"{pool['num_threads']} threads: {Path(pool['filepath']).name}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's model."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = (line.split(": ")[1] for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())


def memory_mib(name: str) -> float:
    """``MemTotal`` or ``MemAvailable`` of the machine; NaN where the system does not say."""
    return _proc("/proc/meminfo", name)


def resident_mib() -> float:
    """Memory that this process holds now."""
    return _proc("/proc/self/status", "VmRSS")


def peak_mib() -> float:
    """Peak memory of this process alone: what `getrusage` says includes its parent's."""
    peak = _proc("/proc/self/status", "VmHWM")
    return peak if peak == peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> None:
    """Start anew with `peak_mib`, where the system allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _proc(file: str, name: str) -> float:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    print(facts())
