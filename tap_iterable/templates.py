"""Templates: a list that says neither type nor medium, filters that do for some, contents medium by medium."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.request import Request
from shared.errors import ApiError, AuthError, GoneError, PartError, QuotaError, RefusedError, RetryableError
from shared.streams import Rows, Step, Stream, Unit

from .pages import by_number, numbered

if TYPE_CHECKING:
    from shared.api.client import Client

MEDIA = ("Email", "Push", "InApp", "SMS")
"""Those that templates can be filtered by; the rest (web push, embedded, WhatsApp, RCS) are in the plain list alone."""
TEMPLATE_TYPES = ("Base", "Blast", "Triggered", "Workflow")
plain_templates = partial(
    Stream,
    name="templates",
    path="/api/templates",
    records="templates",
    params=numbered(1000, sort="id"),
    identity=("templateId",),
    next_page=by_number,
)


def listed(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All templates, with the type and medium that only the filters tell, as far as these are answered."""
    from shared.sync.paging import pages

    kinds: dict[Any, dict[str, str]] = {}
    failed: list[PartError] = []
    for field, values in (("messageMedium", MEDIA), ("templateType", TEMPLATE_TYPES)):
        for value in values:
            listing = plain_templates(params=numbered(1000, sort="id", **{field: value}))
            try:
                for batch in pages(client, unit, listing):
                    for row in filter(_is_one, batch.rows):
                        kinds.setdefault(row.get("templateId"), {})[field] = value
            except (AuthError, QuotaError):
                raise
            except (RetryableError, RefusedError) as error:
                failed.append(PartError(f"{error} Templates are without their {field}.", part=f"{field} {value}"))
            except ApiError as error:  # a filter that this project does not know finds nothing
                client.report.warn(unit.stream, f"without the {field} {value} of templates: {error}")
    for batch in pages(client, unit, plain_templates()):
        rows = [{**row, **kinds.get(row.get("templateId"), {})} if _is_one(row) else row for row in batch.rows]
        yield Rows(rows, size=batch.size, care=batch.care)
    if failed:  # and the bookmark stays where it is, so that the next run tells
        parts = ", ".join(error.part for error in failed)
        raise PartError(str(failed[0]), part=parts)


def _is_one(row: Any) -> bool:
    """Whether it is a template; what is none is left out by name when it is written."""
    return isinstance(row, dict)


def embedded(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """A template whose medium no filter tells, if it turns out to be an embedded one."""
    request = Request("/api/templates/embedded/get", {"templateId": unit.parent["templateId"]})
    try:
        yield Rows([client.json(request, stream=unit.stream)])
    except GoneError:
        return
