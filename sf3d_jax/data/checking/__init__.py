"""Finds faults in scene-flow samples and data sets."""
