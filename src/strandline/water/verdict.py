"""The verdict on whole scenes in words: above all, that there is no water, and why."""

from __future__ import annotations

import pandas as pd


def verdict_text(evidence: pd.DataFrame) -> str:
    """Say whether there is water and, if there is none, what came nearest to it.

    Parameters
    ----------
    evidence : DataFrame
        From `find_water`, or the ``evidence.csv`` of a study.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> rows = {
    ...     "share": [0.98, 0.02],
    ...     "mndwi": [-0.4, 0.12],
    ...     "water": False,
    ...     "reason": ["MNDWI -0.40: dry", "MNDWI +0.12: wet, but like leaves"],
    ... }
    >>> for sentence in verdict_text(pd.DataFrame(rows)).split(". "):
    ...     print(sentence)
    No water was found
    Nearest comes a class of 2 % of the observed pixels, with MNDWI +0.12: wet, but like leaves.
    """
    water = evidence["water"].astype(bool)
    if water.any():
        share = _percent(evidence.loc[water, "share"].sum()) if "share" in evidence else ""
        classes = f"{int(water.sum())} of {len(evidence)} classes of like spectra"
        return f"Water was found: {', '.join(filter(None, (classes, share)))}."
    index = next((name for name in ("mndwi", "ndwi") if name in evidence), None)
    if index is None or not {"share", "reason"} <= set(evidence.columns):
        return "No water was found."
    seen = evidence[evidence["share"] > 0.0]
    if not len(seen):
        return "No water was found."
    nearest = seen.sort_values(index).iloc[-1]
    return (
        f"No water was found. Nearest comes a class of {_percent(nearest['share'])}, "
        f"with {nearest['reason']}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} % of the observed pixels" if share < 0.995 else "all observed pixels"
