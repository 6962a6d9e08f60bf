"""The version of the package, for modules that record what wrote a file."""

__version__ = "0.1.0"
