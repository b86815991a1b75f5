"""How well a map agrees with a reference: counts, shorelines, and what a sample says of areas."""

from strandline.accuracy.assess import Assessment, assess

__all__ = ["Assessment", "assess"]
