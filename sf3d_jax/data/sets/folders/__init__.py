"""Pairs of files in folders of your own."""
