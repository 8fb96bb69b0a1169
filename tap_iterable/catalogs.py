"""Catalogs, each with the types of its fields, which are asked for one by one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.api.request import Request
from shared.errors import ApiError, AuthError, GoneError, QuotaError
from shared.streams import LeftOut, Rows, Step, Stream, Unit

from .pages import by_number_of_a_size, enveloped, half_the_size, inside, numbered

if TYPE_CHECKING:
    from shared.api.client import Client

CATALOG_NAMES = Stream(
    name="catalogs",
    path="/api/catalogs",
    records=enveloped("catalogNames"),
    params=numbered(1000),
    identity=("name",),
    next_page=by_number_of_a_size,
    shrink=half_the_size,
)


def described(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """All catalogs, with the types of their fields where these are told."""
    from shared.sync.paging import pages

    for batch in pages(client, unit, CATALOG_NAMES):
        for row in batch.rows:
            if not is_named(row):
                yield Rows([row])  # left out by name
                continue
            path = f"/api/catalogs/{quote(str(row['name']), safe='')}/fieldMappings"
            found: Mapping[str, Any] = {}
            try:
                found = inside(client.json(Request(path), stream=unit.stream))
            except GoneError as error:
                client.report.warn(unit.stream, f"without the field types of catalog {row['name']}: {error}")
            except (AuthError, QuotaError):
                raise
            except ApiError as error:
                yield LeftOut(f"the field types of catalog {row['name']}", str(error))
            yield Rows([{**row, **{name: found.get(name) for name in ("definedMappings", "undefinedFields")}}])


def is_named(row: Any) -> bool:
    """Whether it is a catalog that can be asked for."""
    return isinstance(row, dict) and bool(row.get("name"))
