"""How a result came about: what a record says of it, as the report tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from strandline.show.report.tables import table

_PARAMETERS_LEFT_OUT = {"storage_options"}


def comparability(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Take from the record how comparable the dates are."""
    found = None if record is None else record.get("dates")
    if not found:
        return None
    lines = found.get("normalization", {}).get("bands")
    return {
        "sentences": found["sentences"],
        "table": table(pd.DataFrame(lines)) if lines else None,
    }


def provenance(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Pick what does not change from one run to the next."""
    if record is None:
        return None
    versions = {"strandline": record["strandline"], "Python": record.get("python", "")}
    parameters = _flatten(record["config"])
    if record.get("seed") is not None and "seed" not in dict(parameters):
        parameters.append(("seed", str(record["seed"])))
    return {
        "strandline": record["strandline"],
        "command": record.get("command"),
        "parameters": parameters,
        "versions": [*versions.items(), *record["packages"].items()],
        "inputs": [
            {
                "name": PurePosixPath(str(entry.get("path") or entry["url"])).name
                if "path" in entry
                else entry["url"],
                "size": f"{entry['size']:,}" if entry.get("size") is not None else "–",
                "digest": str(entry.get("sha256") or entry.get("etag") or "–")[:16],
            }
            for entry in record["inputs"]
        ],
    }


def _flatten(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Name every parameter by its path: ``grid.resolution``."""
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if name in _PARAMETERS_LEFT_OUT:
            continue
        if isinstance(value, Mapping) and value:
            rows += _flatten(value, f"{prefix}{name}.")
        elif value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{name}", shown))
    return rows
