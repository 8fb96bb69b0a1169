"""The page of an OAuth server on which a person grants access, or does not."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from .routes import Answer

CONSENT = (str, "", "page: a page with buttons asks for consent; otherwise it is granted at once")
"""The option of every sandbox with OAuth."""


def consent(way: str, redirect_uri: str, granted: Mapping[str, str], state: str | None) -> Answer:
    """Back to the application with what is `granted` at once, or by way of a page that asks."""
    answers = {"allow": granted, "deny": {"error": "access_denied"}}
    more = {} if state is None else {"state": state}
    urls = {name: _with_query(redirect_uri, {**more, **answer}) for name, answer in answers.items()}
    if way != "page":
        return Answer(b"", 302, "text/html", (("Location", urls["allow"]),))
    buttons = "".join(
        f'<button id="{name}" onclick="location.href=this.value" value="{escape(url)}">{name.title()}</button> '
        for name, url in urls.items()
    )
    page = f"<!doctype html><title>Grant access</title><h1>May this application read the account?</h1>{buttons}"
    return Answer(page.encode(), 200, "text/html")


def _with_query(url: str, members: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(part for part in (parts.query, urlencode(members)) if part)))
