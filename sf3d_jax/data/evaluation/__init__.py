"""Estimates in folders: compared with the truth of a benchmark, or made into a submission."""
