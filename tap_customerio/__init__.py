"""Singer tap for the Customer.io App API 1."""

__version__ = "0.1.0"
