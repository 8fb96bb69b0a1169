"""What befalls chosen requests, for as long as it is wished: how a fault at one place is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .routes import Answer, Call, Refusal

Match = Callable[[Call], bool]
Change = Callable[[Call, Answer], Answer]
Effect = Refusal | str | Change


@dataclass
class Affliction:
    """`match` tells which requests are met. `effect` is a Refusal, which the vendor puts into its own words; the name
    of a fault (see `options.FAULTS`); or a function that makes another answer of the good one. `met` holds the
    targets, in order.
    """

    match: Match
    effect: Effect
    met: list[str] = field(default_factory=list)


class Afflicted:
    """What befalls one request; the first that matches counts, beside those that only change the answer."""

    def __init__(self, afflictions: Sequence[Affliction], call: Call) -> None:
        self._call = call
        self._found = [each for each in afflictions if each.match(call)]

    def refusal(self) -> Refusal | None:
        """What the request is refused with."""
        for each in self._found:
            if isinstance(each.effect, Refusal):
                each.met.append(self._call.target)
                return each.effect
        return None

    def fault(self) -> str | None:
        """The fault that the request meets on its way."""
        for each in self._found:
            if isinstance(each.effect, str):
                each.met.append(self._call.target)
                return each.effect
        return None

    def changed(self, answer: Answer) -> Answer:
        """The answer as it goes out."""
        for each in self._found:
            if not isinstance(each.effect, (Refusal, str)):
                each.met.append(self._call.target)
                answer = each.effect(self._call, answer)
        return answer
