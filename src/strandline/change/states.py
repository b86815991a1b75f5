"""What is known of the water of a pixel: land, water, or nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ConfigurationError
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER

UNSEEN = 2
"""State of a pixel that was not observed; land is 0, water 1."""


def water_states(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn the values of a water mask into 0, 1 and 2 (not observed); refuse any other."""
    states: NDArray[np.uint8] = _STATE_OF_VALUE[mask]
    if (states == _NO_STATE).any():
        strange = sorted({int(value) for value in np.unique(mask)} - {LAND, WATER, NOT_OBSERVED})
        raise ConfigurationError(
            "The water mask holds impossible values.",
            expected="0, 1 and 255",
            got=", ".join(map(str, strange)),
            remedy="A label map becomes a water mask by water_mask(segmentation).",
        )
    return states


_NO_STATE = 9
_STATE_OF_VALUE = np.full(256, _NO_STATE, np.uint8)
_STATE_OF_VALUE[[LAND, WATER, NOT_OBSERVED]] = 0, 1, UNSEEN
