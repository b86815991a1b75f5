"""The report of a run: one HTML file that needs nothing else, not even a network."""

from strandline.show.report.page import report

__all__ = ["report"]
