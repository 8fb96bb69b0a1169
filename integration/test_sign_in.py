"""--authorize, the consent given, or not, by a real browser; the tokens are renewed in a later run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from shared.sandbox import Sandbox
from shared.testing.runs import command, run_tap

CASES: dict[str, tuple[dict[str, str], Mapping[str, str], str]] = {
    "tap_campaign_monitor": ({"login": "oauth", "lifetime": "1"}, {}, "clients"),
    "tap_klaviyo": ({"quotas": "0", "rotate": "1"}, {"expires_at": "2026-01-01T00:00:00Z"}, "accounts"),
    "tap_mailchimp": ({}, {}, "account"),
}
"""Options of each sandbox, what to change in the config so that the token is renewed, and a stream to read."""
APPLICATIONS = {
    "tap_campaign_monitor": ("tap_campaign_monitor.sandbox", "APPLICATION", ("oauth_client_id", "oauth_client_secret")),
    "tap_klaviyo": ("tap_klaviyo.sandbox.oauth", "CLIENT", ("client_id", "client_secret")),
    "tap_mailchimp": ("tap_mailchimp.sandbox.services", "CLIENT", ("client_id", "client_secret")),
}


@pytest.fixture(scope="module")
def browser() -> Any:
    """Headless Chromium; Debian's packages `chromium` and `chromium-driver`."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver is not None, "apt-get install chromium-driver"
    assert chromium is not None, "apt-get install chromium"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as opened:
        yield opened


def application(package: str) -> dict[str, str]:
    """The application that a sandbox knows, under the names of the tap's settings."""
    module, name, names = APPLICATIONS[package]
    known = getattr(import_module(module), name)
    return dict(zip(names, known.values() if isinstance(known, dict) else known, strict=True))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("button", ["allow", "deny"])
@pytest.mark.parametrize("package", CASES)
def test_consent_in_a_browser(package: str, button: str, browser: Any, tmp_path: Path) -> None:
    options, expiry, stream = CASES[package]
    make: Any = import_module(f"{package}.tap").TAP.sandbox
    box: Sandbox
    with make({**options, "consent": "page"}) as box:
        file = tmp_path / "config.json"
        given = {
            **application(package),
            "redirect_uri": f"http://127.0.0.1:{free_port()}/back",
            "base_url": box.base_url,
        }
        if package != "tap_campaign_monitor":
            given["start_date"] = "2026-01-01"
        file.write_text(json.dumps(given))
        process = subprocess.Popen(
            command(package, ["--config", str(file), "--authorize"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "BROWSER": "true"},  # the one below takes its place
        )
        assert process.stderr is not None
        url = next(line.strip() for line in process.stderr if line.startswith("http"))
        next(line for line in process.stderr if line.startswith("Waiting"))
        browser.get(url)
        WebDriverWait(browser, 20).until(lambda page: page.find_element(By.ID, button)).click()
        WebDriverWait(browser, 20).until(lambda page: "Thank you" in page.page_source)
        output, errors = process.communicate(timeout=30)
        assert output == ""
        saved = json.loads(file.read_text())
        if button == "deny":
            assert process.returncode == 3, errors
            assert "access_denied" in errors
            assert saved == given
            return
        assert process.returncode == 0, errors
        assert file.stat().st_mode & 0o777 == 0o600
        assert saved["access_token"] not in errors
        file.write_text(json.dumps({**saved, **expiry}))
        result = run_tap(package, "--config", str(file), "--select", stream, folder=tmp_path)
        assert result.status == 0, result.stderr[-2000:]
        assert result.records(stream)
        if expiry:
            assert json.loads(file.read_text())["refresh_token"] != saved["refresh_token"], "renewed, and kept"
            assert file.stat().st_mode & 0o777 == 0o600
