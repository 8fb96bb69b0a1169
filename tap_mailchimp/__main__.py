"""`python -m tap_mailchimp`."""

from .tap import main

main()
