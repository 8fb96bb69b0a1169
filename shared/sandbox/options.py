"""How a sandbox is told what account to hold and how to misbehave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConfigError

FAULTS_ON = "429:0.03+500:0.02+reset:0.01+truncate:0.005"
FAULTS = {
    "429": "too many requests, with no word on when to return (other statuses from 400 on may be named alike)",
    "retry-after": "429 that names a wait",
    "reset": "connection reset before the answer",
    "lost": "connection reset after the request took effect",
    "truncate": "the body ends halfway",
    "hang": "no answer until the client gives up",
    "html": "200 with a page of HTML",
    "empty": "200 without a body",
}


def read_options(text: str) -> dict[str, str]:
    """The options of `k=v,k=v`."""
    options = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"sandbox option {part!r} has no value: write {part}=VALUE")
        options[name.strip()] = value.strip()
    return options


def read_faults(text: str) -> dict[str, float]:
    """Fault → chance, from `429:0.03+reset:0.01`, `429=0.03,reset=0.01` or `on`."""
    text = text.strip().lower()
    if text in ("", "0", "off", "false"):
        return {}
    if text in ("1", "on", "true"):
        text = FAULTS_ON
    faults = {}
    for part in text.replace("+", ",").replace(":", "=").split(","):
        name, _, chance = part.strip().partition("=")
        name = "504" if name == "timeout" else name
        if name not in FAULTS and not (name.isdigit() and 400 <= int(name) <= 599):
            raise ConfigError(
                f"sandbox fault {name!r} is unknown: use a status of 4xx or 5xx, or one of {', '.join(FAULTS)}"
            )
        try:
            faults[name] = float(chance)
        except ValueError:
            raise ConfigError(f"sandbox fault {part!r} needs a chance: {name}:0.02") from None
    return faults


def _switch(text: str) -> bool:
    return {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}[
        text.lower()
    ]


OPTIONS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "day": (int, "0", "the same account this many days later"),
    "scale": (float, "1", "size of the account"),
    "seed": (int, "1", "another account altogether"),
    "speed": (float, "1", "how many times faster its clock runs"),
    "latency": (float, "0", "seconds added to each request"),
    "faults": (read_faults, "", "FAULT:CHANCE+FAULT:CHANCE, or on"),
    "drift": (_switch, "0", "rows move between pages"),
    "connections": (int, "", "simultaneous requests allowed (default: the API's own)"),
    "gzip": (_switch, "0", "compress answers"),
    "strict": (_switch, "0", "refuse parameters that the API would ignore"),
    "cache": (float, "16", "megabytes of answers kept"),
    "port": (int, "0", "port to listen on; 0: any free one"),
}
"""Option → how it is read, its default, what it does."""
