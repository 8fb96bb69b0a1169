"""What of the API is no collection: OAuth, and batches with their life cycle."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from shared.sandbox import Answer, Call, Param, Refusal, Route, Row, consent, dumps, mix, salt

from .pages import LINKS, trim, wire

if TYPE_CHECKING:
    from . import MailchimpSandbox

CLIENT = {"client_id": "400000000000", "client_secret": "sandbox-client-secret"}
DC = "us6"
_CODE_SECONDS = 600


def _authorize(sandbox: MailchimpSandbox, call: Call) -> Answer:
    """The consent page."""
    if call.params["client_id"] != CLIENT["client_id"] or call.params["response_type"] != "code":
        return Answer(b"<html><body>Unknown application</body></html>", 400, "text/html")
    code = f"{salt(sandbox.options['seed'], 'code', len(sandbox.codes)):016x}"
    sandbox.codes[code] = (call.params["redirect_uri"], sandbox.clock.now() + timedelta(seconds=_CODE_SECONDS))
    given = call.params
    return consent(sandbox.options["consent"], given["redirect_uri"], {"code": code}, given.get("state"))


def _token(sandbox: MailchimpSandbox, call: Call) -> Answer:
    form = dict(parse_qsl(call.body.decode("latin-1"), keep_blank_values=True))
    uri, until = sandbox.codes.pop(form.get("code", ""), (None, sandbox.clock.now()))
    good_client = all(form.get(name) == value for name, value in CLIENT.items())
    if form.get("grant_type") != "authorization_code" or not good_client:
        return Answer.of({"error": "invalid_client", "error_description": "Unknown client or bad secret"}, 400)
    if uri is None or uri != form.get("redirect_uri") or sandbox.clock.now() >= until:
        return Answer.of({"error": "invalid_grant", "error_description": "The code is used, expired or not yours"}, 400)
    token = f"{salt(sandbox.options['seed'], 'token', len(sandbox.tokens)):032x}"
    sandbox.tokens.add(token)
    return Answer.of({"access_token": token, "expires_in": 0, "scope": None})


def _metadata(sandbox: MailchimpSandbox, call: Call) -> Answer:
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind != "OAuth" or token not in sandbox.tokens:
        # A dead token is answered with 200. (Reference 1.1)
        return Answer.of({"error": "invalid_token", "error_description": "The access token provided is invalid."})
    login = {"email": "owner@example.com", "avatar": None, "login_id": 123, "login_name": "acme",
             "login_email": "owner@example.com"}  # fmt: skip
    return Answer.of(
        {"dc": DC, "role": "owner", "accountname": "Acme 🎈", "user_id": 123, "login": login,
         "login_url": sandbox.root_url, "api_endpoint": sandbox.root_url}
    )  # fmt: skip


_URL_SECONDS = 600
BATCH_DAYS = 7
_SPLIT_ROWS = 500
_MOST_OPERATIONS, _MOST_PENDING = 1000, 500
_STAGES = ((0.5, "pending"), (1.0, "preprocessing"), (2.0, "started"), (2.5, "finalizing"))


@dataclass(slots=True)
class Batch:
    """Operations under way. They are performed when the batch is first seen finished."""

    id: str
    operations: list[Row]
    submitted: datetime
    archive: bytes | None = None
    completed: datetime | None = None
    failed: int = 0

    def status(self, now: datetime) -> str:
        """Where it is in its life; more operations take longer."""
        seconds = (now - self.submitted).total_seconds() - len(self.operations) * 0.02
        return next((name for until, name in _STAGES if seconds < until), "finished")


def _start_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    body = call.json()
    operations = body.get("operations") if isinstance(body, dict) else None
    now = sandbox.clock.now()
    if not isinstance(operations, list) or not all(isinstance(each, dict) and "path" in each for each in operations):
        raise Refusal(400, "Schema describes array of operations", title="Invalid Resource")
    if len(operations) > _MOST_OPERATIONS:
        raise Refusal(400, f"At most {_MOST_OPERATIONS} operations", title="Bad Request")
    if sum(batch.status(now) != "finished" for batch in sandbox.batches.values()) >= _MOST_PENDING:
        raise Refusal(429)
    identity = f"{salt(sandbox.options['seed'], 'batch', len(sandbox.batches)):016x}"[:10]
    sandbox.batches[identity] = Batch(identity, operations, now)
    return Answer.of({**_batch_body(sandbox, sandbox.batches[identity]), "_links": LINKS})


def _list_batches(sandbox: MailchimpSandbox, call: Call) -> Answer:
    others = sandbox.account.batches({})
    shown = [_batch_body(sandbox, batch) for batch in sandbox.batches.values()]
    shown += map(others.row, range(others.count))
    offset = call.params.get("offset", 0)
    page = shown[offset : offset + call.params["count"]]
    return Answer(dumps(trim({"batches": page, "total_items": len(shown)}, "batches", call.params)))


def _show_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    body = _batch_body(sandbox, sandbox.batch(call.args["batch_id"]))
    return Answer(dumps(trim(body, "", call.params)))


def _delete_batch(sandbox: MailchimpSandbox, call: Call) -> Answer:
    sandbox.batch(call.args["batch_id"])
    del sandbox.batches[call.args["batch_id"]]
    return Answer(status=204)


def _batch_body(sandbox: MailchimpSandbox, batch: Batch) -> Row:
    now = sandbox.clock.now()
    status = batch.status(now)
    finished, url = status == "finished", ""
    if finished:
        if batch.archive is None:
            batch.archive, batch.failed = _perform(sandbox, batch)
            batch.completed = now
        expires = int(now.timestamp()) + _URL_SECONDS
        query = {"AWSAccessKeyId": "AKIASANDBOX", "Expires": expires, "Signature": _signature(sandbox, batch, expires)}
        url = f"{sandbox.root_url}/s3/{batch.id}-response.tar.gz?{urlencode(query)}"
    return {
        "id": batch.id,
        "status": status,
        "total_operations": len(batch.operations),
        "finished_operations": len(batch.operations) if finished else 0,
        "errored_operations": batch.failed,
        "submitted_at": wire(batch.submitted),
        "completed_at": wire(batch.completed) if batch.completed else "",
        "response_body_url": url,
    }


def _signature(sandbox: MailchimpSandbox, batch: Batch, expires: int) -> str:
    return f"{salt(sandbox.options['seed'], 'signature', batch.id, expires):016x}="


def _download(sandbox: MailchimpSandbox, call: Call) -> Answer:
    """The result as a storage service of somebody else's gives it: no credential of ours, errors in XML."""

    def refused(status: int, code: str) -> Answer:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        return Answer(text.encode(), status, "application/xml")

    if "authorization" in call.headers:
        return refused(400, "InvalidArgument")
    batch = sandbox.batches.get(call.args["name"].removesuffix("-response.tar.gz"))
    expires = call.params["Expires"]
    if batch is None or batch.archive is None:
        return refused(404, "NoSuchKey")
    if call.params["Signature"] != _signature(sandbox, batch, expires):
        return refused(403, "SignatureDoesNotMatch")
    if expires <= sandbox.clock.now().timestamp():
        return refused(403, "AccessDenied")
    return Answer(batch.archive, 200, "application/gzip")


def _results(sandbox: MailchimpSandbox, operation: Row) -> Iterator[tuple[int, bytes]]:
    """Status and body of one operation; without `count` the whole collection, over several results."""
    method, path = str(operation.get("method", "GET")), sandbox.prefix + str(operation["path"]).partition("?")[0]
    params = {name: str(value) for name, value in (operation.get("params") or {}).items()}
    found = sandbox.collection(path)
    # Batches give at most ten members of a segment, whatever `count` says. (Reference 3.4)
    if found is not None and found[0].stream == "list_segment_members":
        params["count"] = "10"
    whole = found is not None and "count" in found[0].paged and "count" not in params
    offset = 0
    while True:
        asked = {**params, "count": str(_SPLIT_ROWS), "offset": str(offset)} if whole else params
        answer = sandbox.answer(Call(method, f"{path}?{urlencode(asked)}", {}), trusted=True)
        yield answer.status, answer.body
        offset += _SPLIT_ROWS
        if not whole or answer.status != 200 or found is None or offset >= sandbox.table(*found).count:
            return


def _perform(sandbox: MailchimpSandbox, batch: Batch) -> tuple[bytes, int]:
    """The archive of a batch, as awkward as the real ones, and how many operations failed."""
    results, failed = [], 0
    for operation in batch.operations:
        statuses = []
        for status, body in _results(sandbox, operation):
            statuses.append(status)
            results.append({"status_code": status, "operation_id": operation.get("operation_id", ""),
                            "response": body.decode()})  # fmt: skip
        failed += any(status >= 400 for status in statuses)
    order = sorted(range(len(results)), key=lambda place: mix(sandbox.options["seed"], place))
    files = [dumps([results[place] for place in order[start : start + 2]]) for start in range(0, len(order), 2)]
    files.insert(len(files) // 2, b"")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for place, content in enumerate(files):
            entry = tarfile.TarInfo(f"./{mix(place):016x}.json")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), 1, mtime=0), failed


def routes(prefix: str) -> tuple[Route, ...]:
    """Batches below `prefix`; OAuth and the download, which are other hosts in earnest, beside it."""
    trimming = {"fields": Param(), "exclude_fields": Param()}
    paging = {"count": Param("integer", least=0, cap=1000, default=10), "offset": Param("integer", least=0)}
    code = {name: Param(required=True) for name in ("response_type", "client_id", "redirect_uri")}
    signed = {"AWSAccessKeyId": Param(), "Expires": Param("integer", required=True), "Signature": Param(required=True)}
    return (
        Route(path=f"{prefix}/batches", handler=_start_batch, method="POST"),
        Route(path=f"{prefix}/batches", handler=_list_batches, params={**trimming, **paging}),
        Route(path=f"{prefix}/batches/{{batch_id}}", handler=_show_batch, params=trimming),
        Route(path=f"{prefix}/batches/{{batch_id}}", handler=_delete_batch, method="DELETE"),
        Route(path="/s3/{name}", handler=_download, params=signed, public=True),
        Route(path="/oauth2/authorize", handler=_authorize, params={**code, "state": Param()}, public=True),
        Route(path="/oauth2/token", handler=_token, method="POST", public=True),
        Route(path="/oauth2/metadata", handler=_metadata, public=True),
    )
