"""Data sets: samples by index, in one convention whatever the files use."""
