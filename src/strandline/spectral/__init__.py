"""Spectral clustering of any number of samples: arrays in, labels out.

The engine knows nothing of rasters; it could be a package by itself. `sampling` draws a
sample, `landmarks` summarises it, `affinity` and `embedding` find the eigenvectors of its
graph, `assign` finds clusters among them, `fitting` ties these together, `estimator`
gives them scikit-learn's interface, `model_file` writes and reads fitted models.
"""

from strandline.spectral.estimator import SpectralClustering
from strandline.spectral.model_file import dump_model, load_model
from strandline.spectral.sampling import draw_sample

__all__ = ["SpectralClustering", "draw_sample", "dump_model", "load_model"]
