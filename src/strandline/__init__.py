"""Strandline: water and land cover from satellite scenes, without training data."""
