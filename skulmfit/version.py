"""The version of the package, which files and caches carry."""

__version__ = "0.1.0"
