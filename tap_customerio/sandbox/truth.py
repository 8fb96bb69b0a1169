"""The kinds of the fields of each stream's rows, as the catalogue of streams has them."""

from __future__ import annotations

from shared.sandbox.kinds import facts_beside, kinds_by_stream

KINDS = kinds_by_stream(facts_beside(__file__)["streams"])
