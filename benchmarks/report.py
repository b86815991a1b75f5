"""Numbers as Markdown: tables, and goals with what was measured for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Goal(NamedTuple):
    """A bar, what was measured and what the baseline reached; `met` is None if unknown."""

    what: str
    measured: str
    bar: str
    met: bool | None
    baseline: str = "–"


def goals_table(goals: Iterable[Goal]) -> str:
    """One line per goal."""
    answers = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(g.what, g.measured, g.bar, answers[g.met], g.baseline) for g in goals]
    return table(("goal", "measured", "bar", "met", "baseline, same run"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float, form: str = ".1f", unit: str = "") -> str:
    """A number, or a dash for NaN."""
    return "–" if value != value else f"{value:{form}}{unit}"


def seconds(value: float) -> str:
    """A time with about three digits."""
    if value != value:
        return "–"
    if value < 10:
        return f"{value:.2f} s"
    return f"{value:.0f} s" if value < 600 else f"{value / 60:.0f} min"


def memory(mib: float) -> str:
    """MiB, or GiB from one on."""
    if mib != mib:
        return "–"
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def count(value: int) -> str:
    """A number of samples: 10⁴, 6·10⁷, or digits."""
    text = f"{value:e}"
    mantissa, exponent = text.split("e")
    if value < 10_000 or float(mantissa) % 1:
        return f"{value:,}"
    power = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    digit = int(float(mantissa))
    return f"10{power}" if digit == 1 else f"{digit}·10{power}"
