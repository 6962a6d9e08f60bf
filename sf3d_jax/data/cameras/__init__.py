"""Cameras from and to files that more than one data set uses."""
