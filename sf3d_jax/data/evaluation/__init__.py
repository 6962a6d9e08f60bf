"""Folders of estimates: scored against a benchmark's ground truth, or turned into a submission."""
