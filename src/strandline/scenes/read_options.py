"""How a source is to be read: what the caller of `strandline.open_scene` asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strandline.errors import MissingBandError
from strandline.scenes.cache import Cache
from strandline.scenes.chunking import Chunks
from strandline.scenes.quality import DEFAULT_REASONS

_TOLD_BY_NUMBERS = frozenset({"fill", "saturated"})


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What every kind of source is read with.

    Parameters
    ----------
    bands : str or sequence of str, optional
        Common names, aliases, or numbers as "B4"; None for what is usual for the source.
    reflectance : bool
        Whether to apply the source's factors; False gives the stored numbers.
    scale, offset, nodata, platform, time, crs : optional
        Take the place of what the source says, or say what it does not.
    mask : tuple of str
        Reasons for which pixels count as not observed, in the order of
        `strandline.scenes.quality.check_reasons`.
    conflicts : {"quality", "spectrum"}, optional
        Who wins where quality band and spectrum contradict each other, which is marked; see
        :mod:`strandline.scenes.conflicts`.
    also : tuple of str
        Common names of bands to open too, after those of `bands`, where they are there: a study
        draws pictures and judges clouds by more bands than it clusters by.
    chunks, storage_options, cache : optional
        As for `strandline.open_scene`.
    """

    bands: str | Sequence[str] | None = None
    reflectance: bool = True
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    platform: str | None = None
    time: Any = None
    crs: Any = None
    mask: tuple[str, ...] = DEFAULT_REASONS
    conflicts: str | None = None
    also: tuple[str, ...] = ()
    chunks: Chunks = None
    storage_options: Mapping[str, Any] | None = None
    cache: Cache = None

    @property
    def hidden_by(self) -> list[str]:
        """Reasons to mask by that only a quality band can tell."""
        return sorted(set(self.mask) - _TOLD_BY_NUMBERS)

    def do_without_quality(
        self,
        source: str,
        *,
        remedy: str,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        """Accept that a source has no quality band, unless its reasons were asked for.

        Raises
        ------
        MissingBandError
            If they were: the usual reasons are taken as far as the source can tell them, any
            others are meant.
        """
        if self.hidden_by and self.mask != DEFAULT_REASONS:
            raise MissingBandError(
                f"{source!r} has no quality band to find {', '.join(self.hidden_by)} in.",
                expected=expected,
                got=got,
                remedy=remedy,
            )
