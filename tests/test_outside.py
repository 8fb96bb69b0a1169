"""What comes from outside cannot hurt: tokens, clocks, secrets, texts, states of others, settings, full disks."""

from __future__ import annotations

import base64
import errno
import json
import logging
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from conftest import tap_of
from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response, words
from shared.api.client import Client, Context
from shared.api.limits import Limits
from shared.api.masking import Secrets
from shared.api.request import Request
from shared.command import config as configs
from shared.errors import ConfigError, MachineError, StateError, unable
from shared.protocol.state import State, merge, read_file
from shared.report import JsonFormatter, Report, TextFormatter, harmless
from shared.testing.runs import command, run_tap
from shared.timestamps import UTC, canonical

SMALL = "scale=0.1"


# Tokens


class Accounts(BaseHTTPRequestHandler):
    """A login that takes its time and honours each refresh token once, and an API behind it that has nothing."""

    protocol_version = "HTTP/1.1"
    asked: threading.Event
    good = "refresh-0"
    count = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        cls = type(self)
        if f"refresh_token={cls.good}" not in body:
            return self.answer(400, {"error": "invalid_grant"})
        cls.count += 1
        cls.good = f"refresh-{cls.count}"
        cls.asked.set()
        time.sleep(0.3)
        return self.answer(200, {"access_token": f"access-{cls.count}", "refresh_token": cls.good, "expires_in": 3600})

    def do_GET(self) -> None:
        self.answer(200, {"data": [], "links": {}})

    def answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def accounts() -> Iterator[tuple[str, type[Accounts]]]:
    handler = type("Fresh", (Accounts,), {"asked": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("option", "number", "times"),
    [("--no-progress", signal.SIGTERM, 1), ("--no-progress", signal.SIGINT, 2), ("--discover", signal.SIGTERM, 1)],
)
def test_a_signal_in_the_middle_of_a_renewal_costs_no_token(
    option: str, number: signal.Signals, times: int, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    with accounts() as (url, login):
        file.write_text(
            json.dumps(
                {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-0", "base_url": url}
                | {"start_date": "2026-01-01"}
            )
        )
        process = subprocess.Popen(
            command("tap-klaviyo", [option, "--config", str(file)]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert login.asked.wait(60)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.05)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    saved = json.loads(file.read_text())
    assert saved["refresh_token"] == login.good == "refresh-1"
    assert saved["access_token"] == "access-1"
    assert [path.name for path in tmp_path.glob(".config.json.*")] == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_a_killed_process_left_beside_the_config_is_removed(tmp_path: Path) -> None:
    file, left, other = (tmp_path / name for name in ("config.json", ".config.json.ab12cd_x", ".config.json.mine"))
    for path in (file, left, other):
        path.write_text("{}")
    with pytest.raises(ConfigError):
        configs.read(tap_of("tap_iterable"), [str(file)], environ={})
    assert not left.exists()
    assert other.exists()


# Clocks


def client_at(ours: datetime) -> Client:
    context = Context(settings={}, report=Report("tap-test"), today=lambda: ours)
    return Client(context, base_url="https://api.example.com", limits=Limits(connections=1), clock=lambda: 0.0)


def dated(moment: datetime) -> Response:
    return Response(200, {"Date": format_datetime(moment, usegmt=True)}, url="https://api.example.com/x")


OURS = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("apart", "begins"),
    [
        ([timedelta(days=365 * 73)], OURS),
        ([timedelta(days=365 * 73), timedelta(), timedelta(seconds=1)], OURS + timedelta(seconds=1)),
        ([timedelta(minutes=4)], OURS + timedelta(minutes=4)),
        ([timedelta(minutes=6)], OURS),
        ([-timedelta(minutes=6)], OURS - timedelta(minutes=6)),
        ([timedelta(), timedelta(days=9), timedelta(days=-9), timedelta(seconds=3)], OURS + timedelta(seconds=3)),
    ],
)
def test_a_run_begins_at_the_earlier_of_two_clocks(apart: list[timedelta], begins: datetime) -> None:
    client = client_at(OURS)
    for each in apart:
        client._learn_time(dated(OURS + each))
    assert client.now() == canonical(begins)
    is_odd = abs(apart[0]) > timedelta(minutes=5)
    assert bool(client.report.notes) == is_odd
    assert all("the earlier one counts" in note for note in client.report.notes)


NOW, LATE, BEFORE = "2026-11-20T12:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "2026-11-10T00:00:00.000000Z"


def test_a_bookmark_in_the_future_is_read_again_from_what_the_state_can_vouch_for() -> None:
    bookmarks = {
        "lists": {"updated": LATE, "refreshed": LATE},
        "members": {"updated": BEFORE, "units": {"a": LATE, "b": [BEFORE, 7, [[BEFORE, LATE]]]}},
        "tags": {"updated": BEFORE},
    }
    keys = dict.fromkeys(bookmarks, "updated")
    for as_of in (BEFORE, None, LATE):
        state = State.read({"bookmarks": json.loads(json.dumps(bookmarks)), **({"as_of": as_of} if as_of else {})})
        said = state.begin(NOW, keys)
        expected = BEFORE if as_of == BEFORE else None
        assert [text.split(":")[0] for text in said] == ["lists", "members"]
        assert all("lies in the future" in text for text in said)
        assert state.get("lists", "updated").value == expected
        assert state.get("members", "updated", "a").value == expected
        assert state.get("members", "updated", "b").mark == 7
        assert LATE not in json.dumps(state.value)
        assert state.get("tags", "updated").value == BEFORE
        assert state.value["as_of"] == NOW


def test_a_merged_state_vouches_for_what_all_of_its_parts_do() -> None:
    assert merge([{"as_of": NOW}, {"as_of": BEFORE}, {}])["as_of"] == BEFORE


# Secrets


@given(st.integers(0, 330), st.sampled_from(["plain", "json", "percent"]))
def test_no_part_of_a_key_passes_wherever_the_words_are_cut(before: int, form: str) -> None:
    key = "pk_0123456789abcdef/+=0123456789ab"
    secrets = Secrets([key])
    text = "x" * before + (quote(key, safe="") if form == "percent" else key) + " is wrong"
    body = json.dumps({"detail": text}) if form == "json" else text
    said = words(Response(400, content=body.encode(), mask=secrets.mask))
    assert "pk_0" not in said
    assert "0123" not in said
    assert len(said) <= 300


@given(st.binary(max_size=20), st.binary(max_size=20), st.booleans())
def test_a_key_in_base64_is_masked_whatever_stands_around_it(before: bytes, after: bytes, is_urlsafe: bool) -> None:
    key = "sk_live_0123456789_abc?~"
    encode = base64.urlsafe_b64encode if is_urlsafe else base64.b64encode
    masked = Secrets([key]).mask(encode(before + key.encode() + after).decode())
    assert "***" in masked
    for start in range(3):
        core = encode(b"\0" * start + key.encode()).decode()
        assert core[4:-6] not in masked


# Masks


def test_a_mask_reaches_every_depth_and_says_what_it_met(tmp_path: Path) -> None:
    done = run_tap(
        "tap-mailchimp",
        "--sandbox",
        SMALL,
        "--select",
        "ecommerce_orders",
        "--no-progress",
        config={"mask": {"*.email_address": "sha256", "*.not_there_yet": "drop"}, "mask_salt": "pepper"},
        folder=tmp_path,
    )
    assert done.status == 0, done.stderr
    orders = done.records("ecommerce_orders")
    addresses = [row["customer"]["email_address"] for row in orders if (row.get("customer") or {}).get("email_address")]
    assert addresses
    assert all(len(address) == 64 for address in addresses)
    assert "mask *.email_address (sha256): customer.email_address" in done.stderr
    assert "warning: mask *.not_there_yet (drop) met no field" in done.stderr


# Texts from outside


@pytest.mark.parametrize("formatter", [TextFormatter(str), JsonFormatter(str, app_name="tap-test")])
def test_a_text_from_outside_forges_no_line_and_talks_to_no_terminal(formatter: logging.Formatter) -> None:
    text = "before\nINFO forged\r\x1b[2J\x9b31m\u2028\u202eafter"
    line = formatter.format(logging.LogRecord("tap-test", logging.INFO, "", 0, "%s", (text,), None))
    assert len(line.splitlines()) == 1
    assert not set("\x1b\x9b\r\u202e") & set(line)
    assert "x1b[2J" in line


def test_a_stream_and_its_problem_are_harmless_in_the_table() -> None:
    report = Report("tap-test")
    report.problem("a\nb", "it said \x1b[31mred")
    assert "\x1b" not in report.summary()
    assert r"it said \x1b[31mred" in report.summary()
    assert harmless("ä – ✓") == "ä – ✓"


# Whose state it is


def test_the_state_of_another_account_is_refused() -> None:
    state = State.read({"bookmarks": {"lists": {}}})
    state.belong("tap-a", "account-1", ["lists"])
    kept = json.loads(json.dumps(state.value))
    assert "account-1" not in json.dumps(kept)
    State.read(kept).belong("tap-a", "account-1", ["lists"])
    State.read(kept).belong("tap-a", None, ["lists"])
    with pytest.raises(StateError, match="another account"):
        State.read(kept).belong("tap-a", "account-2", ["lists"])
    with pytest.raises(StateError, match="it is of tap-a"):
        State.read(kept).belong("tap-b", "account-1", ["lists"])
    with pytest.raises(StateError, match="tap-b has none of its streams"):
        State.read({"bookmarks": {"lists": {}}}).belong("tap-b", None, ["people"])


@pytest.mark.parametrize(("name", "stream"), [("tap-klaviyo", "tags"), ("tap-customerio", "campaigns")])
def test_a_state_is_an_account_s_and_a_tap_s(name: str, stream: str, tmp_path: Path) -> None:
    chosen = ("--sandbox", SMALL, "--select", stream, "--no-progress")
    first = run_tap(name, *chosen, folder=tmp_path)
    assert first.status == 0, first.stderr
    assert first.state["tap"] == name
    salt, _, known = first.state["account"].partition(":")
    assert len(salt) == 16
    assert len(known) == 32
    assert run_tap(name, *chosen, state=first.state, folder=tmp_path).status == 0
    other = run_tap(name, *chosen, state={**first.state, "account": f"{salt}:{'0' * 32}"}, folder=tmp_path)
    assert other.status == 2
    assert other.stdout == b""
    assert "that of another account" in other.stderr
    strange = run_tap("tap-iterable", "--sandbox", SMALL, "--select", "lists", state=first.state, folder=tmp_path)
    assert strange.status == 2
    assert f"it is of {name}" in strange.stderr


def test_account_label_joins_the_key(tmp_path: Path) -> None:
    chosen = ("--sandbox", SMALL, "--select", "campaigns", "--no-progress")
    done = run_tap("tap-customerio", *chosen, config={"account_label": "north"}, folder=tmp_path)
    assert done.status == 0, done.stderr
    assert done.keys("campaigns") == ["id", "_account"]
    schema = next(message for message in done.messages if message["type"] == "SCHEMA")
    assert schema["schema"]["properties"]["_account"]["type"] == ["string"]
    assert {row["_account"] for row in done.records("campaigns")} == {"north"}


# Misspelt settings


def test_a_misspelt_setting_is_a_warning_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    chosen = ("--sandbox", SMALL, "--select", "lists", "--no-progress")
    done = run_tap("tap-iterable", *chosen, config={"concurency": 2}, folder=tmp_path)
    said = 'the setting "concurency" is not known and is ignored. Did you mean concurrency?'
    assert done.status == 0
    assert done.stderr.startswith(f"WARNING {said}")
    assert f"tap-iterable: warning: {said}" in done.stderr.splitlines()[-3:]


@pytest.mark.parametrize("name", ["masks", "Mask", "mask_fields", "masksalt", "mask-salt", "strict_mode", "stict"])
def test_a_setting_that_would_let_data_out_is_refused_when_misspelt(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"api_key": "k", name: {"*.email": "drop"}}))
    with pytest.raises(ConfigError, match="is no setting, and without"):
        configs.read(tap_of("tap_iterable"), [str(file)], environ={})
    with pytest.raises(ConfigError, match="is no setting, and without"):
        configs.read(tap_of("tap_iterable"), ["ENV"], environ={f"TAP_ITERABLE_{name.upper()}S": "x"})


# Files


@pytest.mark.parametrize("kind", ["config", "state", "catalog"])
def test_only_regular_files_are_read(kind: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero", str(tmp_path)):
        done = run_tap("tap-iterable", "--sandbox", SMALL, f"--{kind}", path, folder=tmp_path, timeout=60)
        assert done.status == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert path in done.stderr


def test_an_output_is_split_at_newlines_alone(tmp_path: Path) -> None:
    file = tmp_path / "output"
    value = {"bookmarks": {"lists": {"units": {"a\u2028{}": NOW}}}}
    line = json.dumps({"type": "STATE", "value": value}, ensure_ascii=False)
    file.write_text(f'{{"type": "RECORD"}}\n{line}\n', encoding="utf-8")
    assert read_file(str(file)) == value


def started(*arguments: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    chosen = ["--sandbox", SMALL, "--select", "lists", "--no-progress", *arguments]
    return subprocess.run(command("tap-iterable", chosen), timeout=120, check=False, **how)


def test_a_full_stdout_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = started(stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    last = done.stderr.decode().splitlines()[-1]
    assert last == "tap-iterable: The output cannot be written or opened: No space left on device. Make room there."


def test_a_full_or_closed_stderr_ends_no_run() -> None:
    with open("/dev/full", "wb") as full:
        done = started(stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    assert b'"type":"STATE"' in done.stdout
    closed = started(stdout=subprocess.PIPE, preexec_fn=lambda: os.close(2))
    assert closed.returncode == 0
    assert closed.stdout.count(b'"type":"RECORD"') == done.stdout.count(b'"type":"RECORD"')


def test_too_few_descriptors_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(MachineError, match=r"raise the limit \(`ulimit -n`\)"):
        client_at(OURS).send(Request("/"))


def test_too_few_threads_are_said() -> None:
    assert "lower concurrency" in unable(RuntimeError("can't start new thread"))
    assert not unable(RuntimeError("anything else"))
    assert not unable(OSError(errno.ENOENT, "No such file"))


def test_files_with_records_are_private_and_a_report_follows_no_link(tmp_path: Path) -> None:
    root, aim, link = tmp_path / "batches", tmp_path / "aim", tmp_path / "link.html"
    aim.write_text("mine")
    link.symlink_to(aim)
    config = {"batch": {"root": str(root)}}
    chosen = ("--sandbox", SMALL, "--select", "lists", "--no-progress", "--report")
    done = run_tap("tap-iterable", *chosen, str(link), config=config, folder=tmp_path)
    assert done.status == 0, done.stderr
    assert "the report could not be written" in done.stderr
    assert aim.read_text() == "mine"
    page = tmp_path / "page.html"
    assert run_tap("tap-iterable", *chosen, str(page), config=config, folder=tmp_path).status == 0
    for path in (*root.iterdir(), page):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"storage": "x"}, 'batch: storage is "x", not a JSON object'),
        ({"root": "https://["}, "batch: root is a folder of this machine"),
        ({"root": "/tmp", "batch_size": {}}, "batch: batch_size is {}, not a number"),
        ({"root": "/tmp", "prefix": "../"}, "batch: prefix is"),
    ],
)
def test_a_batch_setting_of_the_wrong_shape_is_said(batch: dict[str, Any], said: str, tmp_path: Path) -> None:
    chosen = ("--sandbox", SMALL, "--select", "lists", "--no-progress")
    done = run_tap("tap-iterable", *chosen, config={"batch": batch}, folder=tmp_path)
    assert done.status == 2, done.stderr
    assert said in done.stderr
