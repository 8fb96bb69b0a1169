"""Singer tap for the Klaviyo API, revision 2026-07-15."""

__version__ = "0.1.0"
