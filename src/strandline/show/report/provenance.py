"""How a result came about: what a record says of it, as the report tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    # What was searched for has to be found again before.
    commands = [*record.get("searches", {}).values(), record.get("command")]
    return {
        "strandline": record["strandline"],
        # The page breaks lines between these alone, so that no option falls apart.
        "command": " && ".join(filter(None, commands)).split(),
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
        elif _is_list(value) and any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, start=1):
                rows += _flatten_one(one, f"{prefix}{name} {number}")
        elif value is not None:
            rows.append((f"{prefix}{name}", _shown(value)))
    return rows


def _flatten_one(one: Any, name: str) -> list[tuple[str, str]]:
    """Tell one of several, as a scene: its source stands for it, the rest has names."""
    if not isinstance(one, Mapping):
        return [(name, _shown(one))]
    said = [(name, _shown(one["source"]))] if one.get("source") else []
    return said + _flatten({key: of for key, of in one.items() if key != "source"}, f"{name}.")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _shown(value: Any) -> str:
    """Write a value as one would type it: neither brackets nor quotes, whole numbers whole."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if _is_list(value):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if isinstance(value, Mapping) else str(value)
