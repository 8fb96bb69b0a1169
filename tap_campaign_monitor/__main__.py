"""`python -m tap_campaign_monitor`."""

from .tap import main

main()
