"""Readers and writers of camera files that more than one data set uses."""
