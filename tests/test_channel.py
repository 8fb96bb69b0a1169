"""The queue between readers and writer."""

from __future__ import annotations

import threading
import time

from shared.sync.channel import Channel


def test_a_wake_before_the_wait_is_not_missed() -> None:
    channel = Channel(threading.Event())
    channel.put(lambda: None)
    channel.wake()
    began = time.monotonic()
    assert channel.get(30) is not None
    assert channel.get(30) is None
    assert time.monotonic() - began < 5
