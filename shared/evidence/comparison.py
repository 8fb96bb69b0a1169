"""How an account's answers differ from those that a tap is tested with.

What is expected stands in `<tap>/sandbox/shapes.json`: the shapes that the tap's sandbox serves, and those that
accounts gave, of which the tests prove that the tap reads them whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..files import parsed, read_text
from ..tap import Tap
from .recorder import VERSION

Shape = Mapping[str, Any]

_DATES = ("date",)
_NONE: Mapping[str, Any] = {}


class NoShapesError(ValueError):
    """What was given is no file of shapes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: its `kind`, the endpoint, the place in the body, and what was found."""

    kind: str
    endpoint: str
    place: str
    found: str


def expected_file(tap: Tap) -> str:
    return str(tap.schemas.parent / "sandbox" / "shapes.json")


def expected(tap: Tap) -> dict[str, Any]:
    """What the tap's sandbox serves, by endpoint."""
    found: dict[str, Any] = parsed(read_text(expected_file(tap)))
    return found


def checked(value: Any) -> dict[str, Any]:
    """`value`, if it is what a recorder writes; raises NoShapesError."""
    if not isinstance(value, dict) or "shapes" not in value or not isinstance(value.get("endpoints"), dict):
        raise NoShapesError("it is no file that --shapes wrote")
    if value["shapes"] != VERSION:
        raise NoShapesError(f"its form is {value['shapes']!r}, and this version reads {VERSION}")
    return value


def compare(told: Mapping[str, Any], wanted: Mapping[str, Any], tap: Tap) -> list[Difference]:
    """All differences between the file of an account and what is expected, endpoint by endpoint."""
    keys = {name for stream in tap.streams for name in (*stream.key_properties, stream.replication_key) if name}
    opens = frozenset(_open_names(tap))
    found: list[Difference] = []
    for name, endpoint in told["endpoints"].items():
        known = wanted.get(name)
        if known is None:
            found.append(Difference("unknown endpoint", name, "", ", ".join(endpoint.get("streams", ()))))
        else:
            found += _Comparison(name, keys, opens).endpoint(endpoint, known)
    return found


def _open_names(tap: Tap) -> Iterator[str]:
    """Names of objects that hold an account's own fields: their schemas list no members."""
    for path in tap.schemas.rglob("*.json"):
        yield from _open_in(parsed(read_text(path)))


def _open_in(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for name, each in (schema.get("properties") or {}).items():
        if isinstance(each, dict) and "object" in (each.get("type") or ()) and not each.get("properties"):
            yield name
        yield from _open_in(each)
    yield from _open_in(schema.get("items"))


@dataclass(frozen=True, slots=True)
class _Comparison:
    name: str
    keys: set[str]
    opens: frozenset[str]

    def endpoint(self, seen: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Difference]:
        for status in seen.get("statuses", ()):
            if status not in known["statuses"] and status != "429" and not status.startswith("5"):
                yield self._is("status", "", status)
        for header in seen.get("limit headers", ()):
            if header not in known["headers"]:
                yield self._is("limit header", "", f"{header}, which is not known")
        for text, how_many in seen.get("totals", {}).items():
            if text != "agree" and text not in known["totals"]:
                yield self._is("total", "", f"{text}, on {how_many} of the pages")
        for body, shape in seen.get("bodies", {}).items():
            if body == "answer" and body in known["bodies"]:
                yield from self._shape(shape, known["bodies"][body], "", is_open=False)

    def _shape(self, seen: Shape, known: Shape, place: str, *, is_open: bool) -> Iterator[Difference]:
        types, others = set(seen.get("types", ())), set(known.get("types", ()))
        if "number" in others:
            others.add("integer")
        leaf = place.rpartition(".")[2]
        if wrong := sorted(types - others - {"null"} if others - {"null"} else ()):
            share = seen["types"][wrong[0]]
            yield self._is(
                "other type", place, f"{', '.join(wrong)} ({share}) instead of {' or '.join(sorted(others))}"
            )
        if "null" in types and "null" not in others and leaf in self.keys:
            yield self._is("null in a key", place, f"{seen['types']['null']} null")
        yield from self._forms(seen, known, place)
        if "links only" in seen.get("relation", ()) and "links only" not in known.get("relation", ()):
            yield self._is("links only", place, f"{seen['relation']['links only']} of these relations have no data")
        yield from self._members(seen, known, place, is_open=is_open or leaf in self.opens)
        if "items" in seen and "items" in known:
            yield from self._shape(seen["items"], known["items"], f"{place}[]", is_open=is_open)

    def _forms(self, seen: Shape, known: Shape, place: str) -> Iterator[Difference]:
        """A moment in another form than the known ones may be read as another moment."""
        forms = known.get("forms", ())
        if any(form.startswith(_DATES) for form in forms) and all(
            form.startswith((*_DATES, "empty")) for form in forms
        ):
            others = [form for form in seen.get("forms", ()) if form not in forms and form != "empty"]
            plain = {_without_fraction(form) for form in forms}
            if wrong := [form for form in others if _without_fraction(form) not in plain]:
                yield self._is("other form", place, f"{'; '.join(wrong)} instead of {'; '.join(sorted(plain))}")

    def _members(self, seen: Shape, known: Shape, place: str, *, is_open: bool) -> Iterator[Difference]:
        members, others = seen.get("members", _NONE), known.get("members", _NONE)
        for name, member in members.items():
            below = f"{place}.{name}" if place else name
            if name in others:
                yield from self._shape(member, others[name], below, is_open=is_open)
            elif not is_open:
                types = " or ".join(member.get("types", ()))
                form = ", ".join(list(member.get("forms", ()))[:3])
                told = f"{types}{f' ({form})' if form else ''}, in {member['present']}"
                yield self._is("unknown member", below, told)
        if "object" in seen.get("types", ()):
            for name, member in others.items():
                if name not in members and member.get("always") and not is_open:
                    yield self._is("never seen", f"{place}.{name}" if place else name, "")

    def _is(self, kind: str, place: str, found: str) -> Difference:
        return Difference(kind, self.name, place, found)


def _without_fraction(form: str) -> str:
    return form.partition(", fraction")[0]


# What is expected, made of what was recorded


def digest(told: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a recorder's file that later ones are compared with."""
    return {
        name: {
            "statuses": sorted(endpoint.get("statuses", ())),
            "headers": sorted(endpoint.get("limit headers", ())),
            "totals": sorted(endpoint.get("totals", ())),
            "bodies": {body: _digest(shape) for body, shape in endpoint["bodies"].items() if body == "answer"},
        }
        for name, endpoint in told["endpoints"].items()
    }


def _digest(shape: Shape) -> dict[str, Any]:
    found: dict[str, Any] = {"types": sorted(shape["types"])}
    for label in ("forms", "relation"):
        if label in shape:
            found[label] = sorted(shape[label])
    if shape.get("present") == "100%":
        found["always"] = True
    if "members" in shape:
        found["members"] = {name: _digest(each) for name, each in shape["members"].items()}
    if "items" in shape:
        found["items"] = _digest(shape["items"])
    return found


def merged(one: Any, other: Any) -> Any:
    """Two digests as one: what either has; `always` where both say so."""
    if isinstance(one, list):
        return sorted({*one, *other})
    if not isinstance(one, dict):
        return one and other
    both = {name: merged(one[name], other[name]) for name in one if name in other}
    rest = {name: {**one, **other}[name] for name in sorted({*one, *other} - {*both, "always"})}
    found = {**both, **rest}
    if "members" in found:
        common = one.get("members", _NONE).keys() & other.get("members", _NONE).keys()
        is_one = "members" not in one or "members" not in other
        for name, member in found["members"].items():
            if not is_one and name not in common:
                found["members"][name] = {part: value for part, value in member.items() if part != "always"}
    return dict(sorted(found.items()))


# As text


def table(differences: Sequence[Difference]) -> str:
    """The differences for a terminal."""
    from ..report import columns

    rows = [("kind", "endpoint", "place", "found")]
    return "\n".join(columns(rows + [(d.kind, d.endpoint, d.place, d.found) for d in differences]))


def as_json(differences: Sequence[Difference]) -> list[dict[str, str]]:
    return [asdict(each) for each in differences]


def issue(differences: Sequence[Difference], told: Mapping[str, Any]) -> str:
    """The differences as Markdown, to be pasted into an issue."""
    lines = [f"**{told['tap']} {told['version']}: answers that differ from what the tap is tested with**", ""]
    if not differences:
        return "\n".join([*lines, "None.", ""])
    for endpoint in dict.fromkeys(each.endpoint for each in differences):
        lines += [f"`{endpoint}`", ""]
        for each in differences:
            if each.endpoint == endpoint:
                place = f" `{each.place}`" if each.place else ""
                lines.append(f"- {each.kind}{place}{': ' if each.found else ''}{each.found}")
        lines.append("")
    return "\n".join(lines)
