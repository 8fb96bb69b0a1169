"""A described API served from memory over real sockets, misbehaving on request. Knows no tap and no vendor.

A vendor's sandbox is a subclass of `Sandbox`: a table of `Route`s, who may enter (`authorise`), what an error looks
like (`refuse`), what a config needs (`settings`), what a faultless read would give (`truth`). The rest is here:

    rows        rows made when asked for, that may move between pages; chance that depends on a seed alone
    routes      what a request, its parameters and its answer are
    consent     the page on which access is granted
    kinds       published fields in a short form
    options     how a sandbox is told to misbehave
    clock       its time, which may run faster
    counts      what was asked, for tests and benchmarks
    server      the HTTP server
    trials      what the tests of every tap have to know of one
    api         from a request to its answer; starting and stopping

Nothing depends on the wall clock or on chance: data and faults come from the seed, and the clock starts at `EPOCH` plus
`day` days.
"""

from .api import Sandbox, serve
from .clock import EPOCH, Clock
from .consent import CONSENT, consent
from .counts import Counts
from .options import read_faults, read_options
from .routes import Answer, Call, Param, Problem, Refusal, Route, dumps
from .rows import WHEN_READ, Drift, Kept, Row, Table, mix, salt
from .trials import Trials

__all__ = [
    "CONSENT",
    "EPOCH",
    "WHEN_READ",
    "Answer",
    "Call",
    "Clock",
    "Counts",
    "Drift",
    "Kept",
    "Param",
    "Problem",
    "Refusal",
    "Route",
    "Row",
    "Sandbox",
    "Table",
    "Trials",
    "consent",
    "dumps",
    "mix",
    "read_faults",
    "read_options",
    "salt",
    "serve",
]
