"""What a long read has met, in little memory: 8 bytes a text, and as much again for room to grow."""

from __future__ import annotations

from array import array

MOST = 2_500_000
_64_BITS = (1 << 64) - 1


class Met:
    """The texts that were met, by their hashes; the first `MOST` of them are remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._places = array("Q", bytes(8 * 1024))
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether no more are remembered, so that whatever is not known may still have been met."""
        return self._count >= self._most

    def add(self, text: str) -> bool:
        """Whether `text` was not met before, as far as that is known; from now on it was."""
        number = hash(text) & _64_BITS or 1
        place = self._place(number)
        if self._places[place]:
            return False
        if not self.is_full:
            self._places[place] = number
            self._count += 1
            if 3 * self._count > 2 * len(self._places):
                self._grow()
        return True

    def _place(self, number: int) -> int:
        """Where `number` stands, or is to stand."""
        places, last = self._places, len(self._places) - 1
        place = number & last
        while places[place] not in (0, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        known, self._places = self._places, array("Q", bytes(2 * 8 * len(self._places)))
        for number in known:
            if number:
                self._places[self._place(number)] = number
