"""`python -m tap_klaviyo`."""

from .tap import main

main()
