"""Bring scenes onto one grid, and images into the table of samples that the engine takes."""
