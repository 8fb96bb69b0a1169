"""Singer tap for the Campaign Monitor API 3.3."""

__version__ = "0.1.0"
