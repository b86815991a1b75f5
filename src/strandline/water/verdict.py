"""The verdict on whole scenes in words: above all, that there is no water, and why."""

from __future__ import annotations

import pandas as pd

MOSTLY_HIDDEN = 0.5
"""From this share of the map on, that it was not observed is the first thing to be said."""


def verdict_text(evidence: pd.DataFrame, hidden: float = 0.0) -> str:
    """Return whether there is water and, if there is none, what came nearest to it.

    Parameters
    ----------
    evidence : DataFrame
        From `find_water`, or the ``evidence.csv`` of a study.
    hidden : float
        Share of the map that was not observed. Where that is most of it, it is said first if no
        water was found.

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
        classes = f"{int(water.sum())} of {len(evidence)} subclusters"
        return f"Water was found in {', '.join(filter(None, (classes, share)))}."
    none = "No water was found."
    if hidden >= MOSTLY_HIDDEN:
        none = f"{100 * hidden:.0f} % of the map was not observed. No water was found in the rest."
    index = next((name for name in ("mndwi", "ndwi") if name in evidence), None)
    if index is None or not {"share", "reason"} <= set(evidence.columns):
        return none
    seen = evidence[evidence["share"] > 0.0]
    if not len(seen):
        return none
    nearest = seen.sort_values(index).iloc[-1]
    return (
        f"{none} Nearest comes a class of {_percent(nearest['share'])}, with {nearest['reason']}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} % of the observed pixels" if share < 0.995 else "all observed pixels"
