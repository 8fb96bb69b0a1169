"""--authorize against Klaviyo's OAuth server in miniature, over plain HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import requests

from shared.testing.runs import command, run_tap
from tap_klaviyo.sandbox import KlaviyoSandbox
from tap_klaviyo.sandbox.oauth import CLIENT


@pytest.mark.parametrize("is_tampered", [False, True], ids=["as asked", "another verifier's challenge"])
def test_authorized_over_http_with_pkce_and_read_with_the_token_that_gave(is_tampered: bool, tmp_path: Path) -> None:
    with KlaviyoSandbox({"quotas": "0"}) as box:
        file = tmp_path / "config.json"
        application = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "redirect_uri": "https://app.example/back"}
        file.write_text(json.dumps({**application, "base_url": box.base_url, "start_date": "2026-01-01"}))
        process = subprocess.Popen(
            command("tap_klaviyo", ["--config", str(file), "--authorize"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "BROWSER": "true"},  # so that none opens
        )
        assert process.stdin is not None and process.stderr is not None
        url = next(line.strip() for line in process.stderr if line.startswith("http"))
        if is_tampered:
            url = re.sub("code_challenge=[^&]*", "code_challenge=somebody-elses", url)
        granted = requests.get(url, allow_redirects=False, timeout=5).headers["Location"]
        output, errors = process.communicate(f"{granted}\n", timeout=20)
        saved = json.loads(file.read_text())
        if is_tampered:
            assert process.returncode == 3 and "refresh_token" not in saved, errors
            return
        assert (process.returncode, output) == (0, ""), errors
        assert saved["refresh_token"] and saved["access_token"] not in errors
        assert file.stat().st_mode & 0o777 == 0o600
        result = run_tap("tap_klaviyo", "--config", str(file), "--select", "accounts", folder=tmp_path)
        assert (result.status, len(result.records("accounts"))) == (0, 1), result.stderr[-2000:]
