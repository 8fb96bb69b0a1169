"""Singer tap for the Iterable API 1.8."""

__version__ = "0.1.0"
