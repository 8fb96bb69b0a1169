"""Singer tap for the Mailchimp Marketing API 3.0."""

__version__ = "0.1.0"
