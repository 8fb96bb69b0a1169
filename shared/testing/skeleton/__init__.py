"""Singer tap for Skeleton."""

__version__ = "0.1.0"
