"""`python -m tap_iterable`."""

from .tap import main

main()
