"""The version of the package, which files and caches carry."""

__version__ = "0.1.0"

# Address of a page of the documentation, with {estimator_name} in it; none yet. Notebooks link to it.
DOCUMENTATION = ""
