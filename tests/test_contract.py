"""Every tap keeps the contract."""

from shared.testing.contract import *  # noqa: F403 - tests, their fixtures and how they are spread over the taps
