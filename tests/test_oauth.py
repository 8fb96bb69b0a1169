from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import responses

from shared.api.client import Client, Context
from shared.api.limits import Limits
from shared.api.oauth import Flow, Tokens, exchange
from shared.api.request import Request
from shared.command.authorize import authorize
from shared.errors import ApiError, AuthError, ConfigError, RetryableError
from shared.timestamps import UTC, canonical

TOKEN_URL = "https://login.example.com/oauth/token"
FLOW = Flow(
    authorize_url="https://login.example.com/oauth/authorize",
    token_url=TOKEN_URL,
    scopes=("read:a", "read:b"),
    pkce=True,
    client_auth="basic",
)
SETTINGS = {
    "client_id": "app-id",
    "client_secret": "app-secret",
    "redirect_uri": "https://app.example.com/back",
    "access_token": "access-0",
    "refresh_token": "refresh-0",
}


class FakeReport:
    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class FakeContext(Context):
    """A context whose clock stands still unless it is moved."""

    def clock(self) -> float:
        return CLOCK[0]

    def wait(self, seconds: float) -> None:
        CLOCK[0] += seconds


CLOCK = [0.0]


def context(settings: Mapping[str, Any] = SETTINGS, **options: Any) -> FakeContext:
    return FakeContext(settings=dict(settings), report=cast("Any", FakeReport()), **options)


def granted(number: int = 1, **members: Any) -> dict[str, Any]:
    answer = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": 3600, **members}
    return {name: value for name, value in answer.items() if value is not None}


def form(call: int = 0) -> dict[str, str]:
    body = responses.calls[call].request.body
    assert isinstance(body, bytes)
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def in_minutes(minutes: float) -> str:
    return canonical(datetime.now(UTC) + timedelta(minutes=minutes))


# The token endpoint


@responses.activate
def test_a_code_is_exchanged_with_its_verifier_and_a_basic_header() -> None:
    responses.post(TOKEN_URL, json=granted())
    answer = exchange(FLOW, context(), "code-1", "verifier-1")
    assert answer["access_token"] == "access-1"
    assert in_minutes(59) < answer["expires_at"] < in_minutes(61)
    assert form() == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "code_verifier": "verifier-1",
        "redirect_uri": "https://app.example.com/back",
    }
    header = responses.calls[0].request.headers["Authorization"]
    assert header == f"Basic {base64.b64encode(b'app-id:app-secret').decode()}"
    assert responses.calls[0].request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@responses.activate
def test_the_application_may_show_itself_in_the_form_or_not_at_all() -> None:
    responses.post(TOKEN_URL, json=granted(expires_in=0))
    flow = Flow(authorize_url="https://x.example.com", token_url=lambda _: TOKEN_URL, refresh_auth="none")
    answer = exchange(flow, context(), "code-1")
    assert (form()["client_id"], form()["client_secret"]) == ("app-id", "app-secret")
    assert "expires_at" not in answer
    Tokens(flow, context({**SETTINGS, "access_token": None})).token()
    assert form(1) == {"grant_type": "refresh_token", "refresh_token": "refresh-0"}
    assert "Authorization" not in responses.calls[1].request.headers


@responses.activate
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_a_refused_grant_is_known_by_its_body_whatever_its_status(status: int) -> None:
    responses.post(TOKEN_URL, status=status, json={"error": "invalid_grant", "error_description": "Revoked."})
    with pytest.raises(AuthError, match=r'"invalid_grant: Revoked\."\. Authorise again with --authorize\.$'):
        Tokens(FLOW, context({**SETTINGS, "access_token": ""})).token()
    assert len(responses.calls) == 1


@responses.activate
def test_a_refusal_without_a_body_is_one_too() -> None:
    responses.post(TOKEN_URL, status=400, body="<html>")
    with pytest.raises(AuthError, match="--authorize"):
        exchange(FLOW, context(), "code-1")


@responses.activate
@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 429, "json": {"error": "slow_down"}},
        {"status": 400, "json": {"error": "temporarily_unavailable"}},
        {"body": "<html>"},
        {"json": {"hello": 1}},
    ],
)
def test_trouble_at_the_token_endpoint_passes(trouble: dict[str, Any]) -> None:
    responses.post(TOKEN_URL, **trouble)
    responses.post(TOKEN_URL, json=granted())
    real = Context(settings=SETTINGS, report=cast("Any", FakeReport()), speed=1e6)
    assert exchange(FLOW, real, "code-1")["access_token"] == "access-1"


@responses.activate
def test_no_secret_is_shown_when_the_endpoint_echoes_it() -> None:
    responses.post(TOKEN_URL, status=400, json={"error": "x", "error_description": "refresh-0 app-secret app-id"})
    with pytest.raises(AuthError, match=r"\*\*\* \*\*\* app-id"):
        Tokens(FLOW, context({**SETTINGS, "access_token": ""})).token()


# Tokens


@responses.activate
def test_a_token_without_an_end_is_used_until_it_is_refused() -> None:
    tokens = Tokens(FLOW, context(), scheme="OAuth")
    assert tokens.headers() == {"Authorization": "OAuth access-0"}
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize(("minutes", "token"), [(-1, "access-1"), (4.9, "access-1"), (5.1, "access-0")])
def test_a_token_is_renewed_five_minutes_before_its_end(minutes: float, token: str) -> None:
    responses.post(TOKEN_URL, json=granted())
    assert Tokens(FLOW, context({**SETTINGS, "expires_at": in_minutes(minutes)})).token() == token


@responses.activate
def test_a_renewed_token_is_renewed_again_in_time_by_its_own_lifetime() -> None:
    responses.post(TOKEN_URL, json=granted(1, expires_in=3600))
    responses.post(TOKEN_URL, json=granted(2, expires_in=60))
    responses.post(TOKEN_URL, json=granted(3, expires_in=0))
    tokens = Tokens(FLOW, context({**SETTINGS, "access_token": None}))
    seen = []
    for seconds in (0, 3299, 2, 44, 2, 1e9):
        CLOCK[0] += seconds
        seen.append(tokens.token())
    assert seen == ["access-1", "access-1", "access-2", "access-2", "access-3", "access-3"]


@responses.activate
def test_what_is_renewed_is_saved_and_what_the_answer_leaves_out_is_kept() -> None:
    responses.post(TOKEN_URL, json=granted(1, refresh_token=None))
    responses.post(TOKEN_URL, json=granted(2))
    responses.post(TOKEN_URL, json=granted(3, expires_in="soon"))
    saved: list[Mapping[str, Any]] = []
    tokens = Tokens(FLOW, context(save=saved.append))
    for _ in range(3):
        tokens.token()
        tokens.refresh()
    assert [form(call)["refresh_token"] for call in range(3)] == ["refresh-0", "refresh-0", "refresh-2"]
    assert [sorted(changes) for changes in saved] == [
        ["access_token", "expires_at"],
        ["access_token", "expires_at", "refresh_token"],
        ["access_token", "refresh_token"],
    ]


@responses.activate
def test_nothing_is_saved_when_the_user_says_so() -> None:
    responses.post(TOKEN_URL, json=granted())
    Tokens(FLOW, context({**SETTINGS, "persist_tokens": False}, save=lambda _: pytest.fail("saved"))).refresh()


@responses.activate
def test_many_threads_renew_a_refused_token_once() -> None:
    responses.post(TOKEN_URL, json=granted())
    tokens = Tokens(FLOW, context())
    barrier = threading.Barrier(6)
    seen: list[str] = []

    def work() -> None:
        tokens.token()
        barrier.wait(5)
        tokens.refresh()
        seen.append(tokens.token())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == ["access-1"] * 6
    assert len(responses.calls) == 1


@responses.activate
def test_the_client_renews_a_refused_token_and_asks_again() -> None:
    responses.get("https://api.example.com/x", status=401)
    responses.get("https://api.example.com/x", json=[1])
    responses.post(TOKEN_URL, json=granted())
    tokens = Tokens(FLOW, (run := context()))
    client = Client(
        run,
        base_url="https://api.example.com",
        authenticate=tokens.headers,
        refresh=tokens.refresh,
        limits=Limits(connections=1),
    )
    assert client.json(Request("/x")) == [1]
    assert responses.calls[2].request.headers["Authorization"] == "Bearer access-1"
    client.close()


def test_a_refused_token_that_cannot_be_renewed_says_what_to_do() -> None:
    tokens = Tokens(FLOW, context({"access_token": "access-0"}))
    tokens.token()
    with pytest.raises(AuthError, match="Authorise again with --authorize"):
        tokens.refresh()


@responses.activate
def test_a_code_in_the_config_is_exchanged_once() -> None:
    responses.post(TOKEN_URL, json=granted(refresh_token=None))
    tokens = Tokens(FLOW, context({**SETTINGS, "access_token": "", "refresh_token": "", "code": "code-1"}))
    assert tokens.token() == "access-1"
    with pytest.raises(AuthError):
        tokens.refresh()
    assert len(responses.calls) == 1


# Several processes


@responses.activate
def test_a_token_that_another_process_renewed_is_taken_over() -> None:
    file = {**SETTINGS, "access_token": "access-8", "refresh_token": "refresh-8", "expires_at": in_minutes(60)}
    tokens = Tokens(FLOW, context(reload=lambda: file))
    tokens.refresh()
    assert tokens.token() == "access-8"
    assert len(responses.calls) == 0


@responses.activate
def test_only_the_refresh_token_is_taken_over_when_the_file_s_access_token_is_old_too() -> None:
    responses.post(TOKEN_URL, json=granted(9))
    file = {**SETTINGS, "access_token": "access-8", "refresh_token": "refresh-8", "expires_at": in_minutes(-1)}
    tokens = Tokens(FLOW, context(reload=lambda: file))
    tokens.refresh()
    assert tokens.token() == "access-9"
    assert form()["refresh_token"] == "refresh-8"


@responses.activate
def test_a_file_that_could_not_be_written_does_not_bring_the_old_token_back() -> None:
    responses.post(TOKEN_URL, json=granted(1))
    responses.post(TOKEN_URL, json=granted(2))
    tokens = Tokens(FLOW, context(reload=lambda: SETTINGS))
    for _ in range(2):
        tokens.token()
        tokens.refresh()
    assert tokens.token() == "access-2"
    assert form(1)["refresh_token"] == "refresh-1"


HOLDER = """
    import portalocker, sys
    with open(sys.argv[1], "a") as file:
        portalocker.lock(file, portalocker.LOCK_EX)
        print("held", flush=True)
        sys.stdin.read()
"""


@responses.activate
def test_processes_take_turns_by_a_lock_beside_the_config_file(tmp_path: Path) -> None:
    responses.post(TOKEN_URL, json=granted())
    lock = tmp_path / "config.json.lock"
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        tokens = Tokens(FLOW, context(lock_path=lock))
        with pytest.raises(ApiError, match=r"Another process has held .*config\.json\.lock"):
            tokens.refresh()
        assert len(responses.calls) == 0
        holder.stdin.close()
        holder.wait(10)
    tokens.refresh()
    assert tokens.token() == "access-1"


@responses.activate
def test_a_folder_that_cannot_hold_the_lock_does_not_stop_the_run(tmp_path: Path) -> None:
    responses.post(TOKEN_URL, json=granted())
    tokens = Tokens(FLOW, context(lock_path=tmp_path / "missing" / "lock"))
    tokens.refresh()
    assert tokens.token() == "access-1"


# --authorize


class FakeConfig:
    def __init__(self, **settings: Any) -> None:
        self.settings = {**SETTINGS, **settings}
        self.secrets = ["app-secret"]
        self.saved: dict[str, Any] = {}

    def save(self, changes: Mapping[str, Any]) -> None:
        self.saved.update(changes)


def walk(config: FakeConfig, *, open_browser: Callable[[str], bool], typed: Callable[[], str] = str) -> str:
    tap = cast("Any", SimpleNamespace(name="tap-example", title="Example", authorize=FLOW, describe_key="Use a key."))
    stderr = io.StringIO()
    stdin = cast("Any", SimpleNamespace(readline=typed))
    authorize(tap, cast("Any", config), open_browser=open_browser, stdin=stdin, stderr=stderr)
    return stderr.getvalue()


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Browser:
    """Notes the URL it is told to open, and goes where the user would be sent."""

    def __init__(self, *, opens: bool = True, **answer: str) -> None:
        self.url, self.opens, self.answer = "", opens, answer
        self.statuses: list[int] = []

    def __call__(self, url: str) -> bool:
        self.url = url
        if self.opens:
            threading.Thread(target=self._go, daemon=True).start()
        return self.opens

    def _go(self) -> None:
        target = urlsplit(query(self.url)["redirect_uri"])
        for path in ("/favicon.ico", f"{target.path}?code=evil&state=wrong", self.back(target.path)):
            connection = http.client.HTTPConnection(target.netloc, timeout=5)
            connection.request("GET", path)
            self.statuses.append(connection.getresponse().status)
            connection.close()

    def back(self, address: str) -> str:
        return f"{address}?{urlencode({'state': query(self.url)['state'], **self.answer})}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@responses.activate
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_authorize_takes_the_code_from_the_redirect_to_this_machine(host: str) -> None:
    responses.post(TOKEN_URL, json=granted())
    config = FakeConfig(redirect_uri=f"http://{host}:{free_port()}/callback")
    browser = Browser(code="code-1")
    told = walk(config, open_browser=browser)
    assert config.saved["access_token"] == "access-1"
    assert config.saved["refresh_token"] == "refresh-1"
    assert form()["code"] == "code-1"
    assert browser.statuses[:2] == [404, 400]
    asked = query(browser.url)
    assert asked["scope"] == "read:a read:b"
    assert asked["response_type"] == "code"
    digest = hashlib.sha256(form()["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert 43 <= len(form()["code_verifier"]) <= 128
    assert browser.url in told
    assert "access-1" not in told
    assert json.dumps(config.saved)


@responses.activate
@pytest.mark.parametrize("whole", [True, False])
def test_authorize_takes_a_pasted_address_or_code(whole: bool) -> None:
    responses.post(TOKEN_URL, json=granted())
    config, browser = FakeConfig(), Browser(opens=False, code="code-1")
    walk(config, open_browser=browser, typed=lambda: browser.back("https://app/back") if whole else " code-1\n")
    assert form()["code"] == "code-1"
    assert config.saved["access_token"] == "access-1"


@responses.activate
def test_authorize_asks_for_the_address_where_there_is_no_browser_or_the_port_is_taken() -> None:
    responses.post(TOKEN_URL, json=granted())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        browser = Browser(opens=False, code="code-1")
        config = FakeConfig(redirect_uri=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        walk(config, open_browser=browser, typed=lambda: "code-1")
    config = FakeConfig(redirect_uri=f"http://127.0.0.1:{free_port()}/")
    walk(config, open_browser=browser, typed=lambda: "code-1")
    assert config.saved["access_token"] == "access-1"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("https://app/back?code=x&state=wrong", "another attempt"),
        ("https://app/back?code=x", "another attempt"),
        ("", "No code"),
    ],
)
def test_authorize_refuses_what_was_not_asked_for(typed: str, said: str) -> None:
    with pytest.raises(AuthError, match=said):
        walk(FakeConfig(), open_browser=Browser(opens=False), typed=lambda: typed)


def test_authorize_says_why_access_was_not_granted() -> None:
    browser = Browser(opens=False, error="access_denied", error_description="No thanks.")
    with pytest.raises(AuthError, match=r'not granted: "No thanks\."'):
        walk(FakeConfig(), open_browser=browser, typed=lambda: browser.back("https://app/back"))
    config = FakeConfig(redirect_uri=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(AuthError, match="not granted"):
        walk(config, open_browser=Browser(error="access_denied"))


def test_authorize_names_the_settings_it_misses() -> None:
    with pytest.raises(ConfigError, match="client_id, client_secret"):
        walk(FakeConfig(client_id="", client_secret=None), open_browser=Browser())
    tap = cast("Any", SimpleNamespace(title="Example", authorize=None, describe_key="Use a key."))
    with pytest.raises(ConfigError, match=r"no OAuth here.*Use a key\."):
        authorize(tap, cast("Any", FakeConfig()), open_browser=Browser(), stdin=io.StringIO(), stderr=io.StringIO())


def test_the_token_endpoint_has_to_be_https() -> None:
    flow = Flow(authorize_url="https://x.example.com", token_url="http://login.example.com/token")
    with pytest.raises(ConfigError, match="https"):
        exchange(flow, context(), "code-1")


@responses.activate
def test_an_endpoint_that_stays_down_is_no_refusal() -> None:
    responses.post(TOKEN_URL, status=502)
    with pytest.raises(RetryableError, match="POST /oauth/token answered 502"):
        exchange(FLOW, Context(settings=SETTINGS, report=cast("Any", FakeReport()), speed=1e6), "code-1")
