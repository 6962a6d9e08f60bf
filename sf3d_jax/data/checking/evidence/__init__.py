"""Measures how far the parts of a sample disagree: one number per kind of evidence."""
