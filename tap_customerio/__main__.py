"""`python -m tap_customerio`."""

from .tap import main

main()
