"""Settings: where they come from, how they are cast, what is said when they are wrong, how they are saved."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from shared.command import config
from shared.command.config import START_DATE, Config, Setting
from shared.errors import ConfigError
from shared.settings import cast
from shared.tap import Tap, json_schema, settings_of

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
KEY = Setting(name="api_key", secret=True, aliases=("key", "credentials.api_key"), description="The key.")
PAGE = Setting(name="page_size", type="integer", default=1000, minimum=1, maximum=1000, clamp=True)
LISTS = Setting(name="list_ids", type="array", description="Only these.")
MODE = Setting(name="mode", default="direct", options=("direct", "batch"))


def tap_with(*settings: Setting, **members: Any) -> Tap:
    return Tap(
        name="tap-tiny",
        title="Tiny",
        version="9.9",
        schemas=Path(),
        settings=settings or (KEY, PAGE, LISTS, MODE),
        connect=lambda context: None,  # type: ignore[arg-type, return-value]
        check=lambda client: None,
        streams=(),
        **members,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(
    *contents: Mapping[str, Any], tap: Tap | None = None, environ: Mapping[str, str] | None = None, **how: Any
) -> Config:
    files = []
    for number, content in enumerate(contents):
        path = Path(f"config-{number}.json")
        path.write_text(json.dumps(content))
        files.append(str(path))
    if environ is not None:
        files.append("ENV")
    return config.read(tap or tap_with(), files, environ=environ or {}, now=lambda: NOW, **how)


def said(*contents: Mapping[str, Any], **how: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*contents, **how)
    text = str(caught.value)
    assert "\n" not in text
    return text


# Sources


def test_every_declared_setting_is_there_with_its_default(folder: Path) -> None:
    settings = read({}).settings
    assert {setting.name for setting in settings_of(tap_with())} == settings.keys()
    assert settings["page_size"] == 1000
    assert settings["fail_on_forbidden"] is True
    assert settings["user_agent"] == "tap-tiny/9.9"


def test_later_files_win_even_by_an_alias(folder: Path) -> None:
    found = read({"api_key": "first", "page_size": 5}, {"key": "second"})
    assert found.settings["api_key"] == "second"
    assert found.settings["page_size"] == 5
    assert found.path == Path("config-1.json")


def test_an_alias_may_be_nested(folder: Path) -> None:
    found = read({"credentials": {"api_key": "nested-key"}})
    assert found.settings["api_key"] == "nested-key"
    assert found.notes == []


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_null_and_empty_mean_not_given(folder: Path, nothing: Any) -> None:
    assert read({"page_size": nothing, "request_timeout": nothing}).settings["page_size"] == 1000


def test_null_may_be_a_value_where_the_setting_says_so(folder: Path) -> None:
    tap = tap_with(KEY, Setting(name="days", type="integer", default=7, null=True))
    assert read({"days": None}, tap=tap).settings["days"] is None
    assert read({"days": ""}, tap=tap).settings["days"] == read({}, tap=tap).settings["days"] == 7


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000"),
        ("01/31/2026", "2026-01-31T00:00:00.000000"),
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000000Z"),
        ("2026-01-31T08:00:00+01:00", "2026-01-31T07:00:00.000000Z"),
    ],
)
def test_a_date_may_stay_without_a_zone(folder: Path, given: str, kept: str) -> None:
    tap = tap_with(KEY, replace(START_DATE, local=True))
    assert read({"start_date": given}, tap=tap).settings["start_date"] == kept


@pytest.mark.parametrize("zero", [0, "0", "", None])
def test_zero_is_the_default_where_older_taps_said_so(folder: Path, zero: Any) -> None:
    assert read({"request_timeout": zero}).settings["request_timeout"] == 300


def test_the_environment_is_read_and_cast_by_type(folder: Path) -> None:
    environ = {
        "TAP_TINY_API_KEY": "env-key",
        "TAP_TINY_PAGE_SIZE": "20",
        "TAP_TINY_LIST_IDS": '["a", "b"]',
        "TAP_TINY_STRICT": "true",
        "TAP_OTHER_API_KEY": "not ours",
    }
    settings = read({"page_size": 7}, environ=environ).settings
    assert (settings["api_key"], settings["page_size"], settings["list_ids"]) == ("env-key", 20, ["a", "b"])
    assert settings["strict"] is True


def test_the_environment_wins_over_dotenv_and_dotenv_over_files_before_it(folder: Path) -> None:
    Path(".env").write_text("export TAP_TINY_API_KEY='from dotenv' # why\nTAP_TINY_PAGE_SIZE=30\n")
    settings = read({"page_size": 7, "api_key": "file"}, environ={"TAP_TINY_PAGE_SIZE": "40"}).settings
    assert (settings["api_key"], settings["page_size"]) == ("from dotenv", 40)


def test_the_environment_is_left_alone_unless_asked_for(folder: Path) -> None:
    assert config.read(tap_with(), [], environ={"TAP_TINY_API_KEY": "x"}).settings["api_key"] is None


def test_a_secret_may_stand_in_a_file_beside_the_config(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "key.txt").write_text("from-a-file\n")
    (folder / "sub" / "config.json").write_text('{"api_key": {"file": "key.txt"}}')
    found = config.read(tap_with(), ["sub/config.json"], environ={})
    assert found.settings["api_key"] == "from-a-file"
    assert found.secrets == ["from-a-file"]


def test_a_sandbox_fills_in_what_is_missing(folder: Path) -> None:
    found = read({"page_size": 5}, supplied={"api_key": "sandbox-key", "page_size": 9})
    assert (found.settings["api_key"], found.settings["page_size"]) == ("sandbox-key", 5)


def test_a_sandbox_adds_no_second_credential(folder: Path) -> None:
    token = Setting(name="access_token", secret=True)
    found = read({"access_token": "own-token"}, tap=tap_with(KEY, token), supplied={"api_key": "sandbox-key"})
    assert found.settings["api_key"] is None


def test_what_is_forced_stands_whatever_is_given(folder: Path) -> None:
    found = read({"base_url": "https://elsewhere.example"}, forced={"base_url": "http://127.0.0.1:1"})
    assert found.settings["base_url"] == "http://127.0.0.1:1"


def test_unknown_settings_are_ignored_and_each_is_said(folder: Path) -> None:
    assert read({"colour": "red", "pagesize": 3}).unknown == [
        'the setting "colour" is not known and is ignored.',
        'the setting "pagesize" is not known and is ignored. Did you mean page_size?',
    ]


# Values


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("integer", "12", 12),
        ("integer", 12.0, 12),
        ("integer", "12.0", 12),
        ("integer", 2**60, 2**60),
        ("number", "1.5", 1.5),
        ("boolean", "True", True),
        ("boolean", "0", False),
        ("boolean", "no", False),
        ("string", 123, "123"),
        ("array", "one", ["one"]),
        ("array", '["one", "two"]', ["one", "two"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("date-time", "2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("date-time", "01/31/2026", "2026-01-31T00:00:00.000000Z"),
        ("date-time", "2026-01-31T08:00:00+02:00", "2026-01-31T06:00:00.000000Z"),
    ],
)
def test_values_are_cast_to_their_type(kind: str, raw: Any, value: Any) -> None:
    found = cast(Setting(name="s", type=kind), raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("integer", 1.5),
        ("integer", True),
        ("integer", "many"),
        ("number", "nan"),
        ("number", "inf"),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("string", ["a"]),
        ("string", True),
        ("array", {"a": 1}),
        ("array", "[1,"),
        ("object", "[]"),
        ("date-time", "yesterday"),
        ("date-time", 20260131),
        ("date-time", "2026-13-01"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, raw: Any) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        cast(Setting(name="s", type=kind), raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    raw=json_values, kind=st.sampled_from(["string", "integer", "number", "boolean", "date-time", "array", "object"])
)
def test_casting_gives_a_value_of_the_type_or_a_value_error(raw: Any, kind: str) -> None:
    try:
        value = cast(Setting(name="s", type=kind), raw)
    except ValueError:
        return
    assert Draft4Validator({"type": "string" if kind == "date-time" else kind}).is_valid(value)


def test_a_number_beyond_the_limits_is_clamped_where_that_is_declared(folder: Path) -> None:
    found = read({"page_size": "5000"})
    assert found.settings["page_size"] == 1000
    assert found.notes[0][0] == logging.WARNING
    assert "1000 is used" in found.notes[0][1]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://api.example.com", "use https"),
        ("http://127.999.0.1", "use https"),
        ("http://127.0.0.1.example.com", "use https"),
        ("ftp://api.example.com", "not a URL"),
        ("api.example.com", "not a URL"),
        ("https://me:word@api.example.com", "user name"),
    ],
)
def test_base_url_is_https_unless_loopback(folder: Path, url: str, fault: str) -> None:
    assert fault in said({"base_url": url})


@pytest.mark.parametrize(
    "url", ["https://api.example.com/", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"]
)
def test_loopback_may_be_http(folder: Path, url: str) -> None:
    assert read({"base_url": url}).settings["base_url"] == url.rstrip("/")


# What is wrong is said


def test_all_problems_are_said_in_one_line_with_their_place(folder: Path) -> None:
    text = said({"start_date": "soon", "page_size": "x", "mode": "fast"}, environ={"TAP_TINY_STRICT": "perhaps"})
    assert 'config-0.json: start_date is "soon", not a date' in text
    assert 'config-0.json: page_size is "x", not a number' in text
    assert 'TAP_TINY_STRICT: strict is "perhaps", neither true nor false' in text
    assert "tap-tiny --about" in text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"mode": "fast"}, 'mode is "fast", not one of direct, batch'),
        ({"concurrency": 0}, "concurrency is 0, at least 1 is needed"),
        ({"concurrency": 65}, "concurrency is 65, at most 64 is allowed"),
        ({"list_ids": ["a", 1]}, "list_ids[1] "),
        ({"start_date": "2027-01-01"}, "start_date 2027-01-01T00:00:00.000000Z is in the future"),
        ({"end_date": "2027-01-01"}, "end_date 2027-01-01T00:00:00.000000Z is in the future"),
        ({"start_date": "2026-02-01", "end_date": "2026-02-01"}, "is not after start_date"),
    ],
)
def test_rules_are_checked(folder: Path, content: Mapping[str, Any], fault: str) -> None:
    assert fault in said(content)


def test_a_missing_setting_is_named_with_its_variable_and_how_to_get_it(folder: Path) -> None:
    tap = tap_with(
        replace(KEY, required=True), replace(START_DATE, required=True), describe_key="Make one in Account > Keys."
    )
    text = said({}, tap=tap)
    assert "api_key and start_date are missing" in text
    assert "TAP_TINY_API_KEY and TAP_TINY_START_DATE" in text
    assert "Make one in Account > Keys." in text


def test_a_partial_read_lets_pass_what_is_missing_but_not_what_is_wrong(folder: Path) -> None:
    tap = tap_with(replace(KEY, required=True), PAGE)
    assert not read({}, tap=tap, is_partial=True).is_complete
    assert read({"api_key": "abcd"}, tap=tap, is_partial=True).is_complete
    assert "page_size" in said({"page_size": "x"}, tap=tap, is_partial=True)


def test_discovery_does_without_a_start_date(folder: Path) -> None:
    tap = tap_with(KEY, replace(START_DATE, required=True))
    assert read({"api_key": "abcd"}, tap=tap, is_partial=True).is_complete
    assert "start_date is missing" in said({"api_key": "abcd"}, tap=tap)


def test_a_tap_checks_across_settings(folder: Path) -> None:
    def validate(settings: dict[str, Any]) -> dict[str, Any]:
        if not settings["api_key"]:
            raise ConfigError("api_key or access_token is needed.")
        return {**settings, "derived": 1}

    tap = tap_with(validate=validate, describe_key="Make one.")
    assert said({}, tap=tap) == "api_key or access_token is needed. Make one."
    assert read({"api_key": "abcd"}, tap=tap).settings["derived"] == 1
    assert not read({}, tap=tap, is_partial=True).is_complete


def test_a_secret_is_never_said(folder: Path) -> None:
    tap = tap_with(
        replace(KEY, type="integer"), replace(MODE, secret=True), replace(PAGE, name="pin", secret=True, clamp=False)
    )
    text = said({"api_key": "hunter2hunter2", "mode": "swordfish", "pin": 99999}, tap=tap)
    assert "hunter2" not in text
    assert "swordfish" not in said({"mode": "swordfish", "pin": 99999}, tap=tap)
    assert "99999" not in said({"mode": "swordfish", "pin": 99999}, tap=tap)


def test_a_config_shows_no_values(folder: Path) -> None:
    assert "hunter2" not in repr(read({"api_key": "hunter2hunter2"}))


def test_settings_that_would_change_the_data_are_refused_not_ignored(folder: Path) -> None:
    assert "stream_maps is not supported" in said({"stream_maps": {"a": 1}})
    assert read({"stream_maps": {}}).notes == []


def test_the_sdks_names_for_flatten_and_batch_are_taken(folder: Path) -> None:
    nested = {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///a"}}
    given = {"flattening_enabled": "true", "flattening_max_depth": "2", "batch_config": nested}
    found = read(given).settings
    assert (found["flatten"], found["flatten_depth"], found["batch"]) == (True, 2, nested)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"mask": {"*.email": "hide"}, "mask_salt": "s"}, "not one of drop, sha256"),
        ({"mask": {"email": "drop"}}, "mask email: a field is named with its stream"),
        ({"mask": {"*.email": "sha256"}}, "sha256 needs a mask_salt"),
        ({"mask": "*.email"}, "not JSON"),
        ({"flatten_depth": -1}, "at least 0"),
    ],
)
def test_a_mask_is_checked(folder: Path, content: dict[str, Any], fault: str) -> None:
    assert fault in said(content)


def test_a_salt_is_no_credential(folder: Path) -> None:
    found = read({"mask_salt": "pepper"}, supplied={"api_key": "of-the-sandbox"}).settings
    assert (found["api_key"], found["mask_salt"]) == ("of-the-sandbox", "pepper")


def test_stream_maps_are_refused_with_the_alternatives(folder: Path) -> None:
    text = said({}, environ={"TAP_TINY_STREAM_MAPS": '{"a": {}}'})
    assert "mask" in text
    assert "--select" in text
    assert "meltano-map-transformer" in text


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "holds no JSON object")]
)
def test_a_broken_file_is_said_in_one_line(folder: Path, content: str | None, fault: str) -> None:
    if content is not None:
        Path("c.json").write_text(content)
    with pytest.raises(ConfigError, match=fault):
        config.read(tap_with(), ["c.json"], environ={})


@pytest.mark.parametrize("content", [None, "  \n"])
def test_a_broken_secret_file_is_said_in_one_line(folder: Path, content: str | None) -> None:
    if content is not None:
        Path("key.txt").write_text(content)
    assert "api_key is given as a file, but secret file key.txt" in said({"api_key": {"file": "key.txt"}})


# Saving


def test_saving_replaces_the_file_that_held_the_value_privately_and_keeps_the_rest(folder: Path) -> None:
    found = read({"key": "old-value", "other": [1], "name": "é"}, {"page_size": 5})
    Path("config-0.json").chmod(0o644)
    found.save({"api_key": "new-value"})
    assert json.loads(Path("config-0.json").read_text()) == {"key": "new-value", "other": [1], "name": "é"}
    assert json.loads(Path("config-1.json").read_text()) == {"page_size": 5}
    assert stat.S_IMODE(Path("config-0.json").stat().st_mode) == 0o600
    assert found.settings["api_key"] == "new-value"
    assert "new-value" in found.secrets
    assert {path.name for path in folder.iterdir()} == {"config-0.json", "config-1.json"}


def test_a_new_setting_is_saved_to_the_last_file(folder: Path) -> None:
    read({"page_size": 5}, {}).save({"api_key": "new-value"})
    assert json.loads(Path("config-1.json").read_text()) == {"api_key": "new-value"}


def test_a_nested_setting_is_saved_where_it_was(folder: Path) -> None:
    read({"credentials": {"api_key": "old-value", "type": "key"}}).save({"api_key": "new-value"})
    assert json.loads(Path("config-0.json").read_text()) == {"credentials": {"api_key": "new-value", "type": "key"}}


def test_a_secret_from_a_file_is_saved_to_that_file(folder: Path) -> None:
    Path("key.txt").write_text("old-value\n")
    found = read({"api_key": {"file": "key.txt"}})
    found.save({"api_key": "new-value"})
    assert Path("key.txt").read_text() == "new-value\n"
    assert json.loads(Path("config-0.json").read_text()) == {"api_key": {"file": "key.txt"}}


def test_saving_keeps_what_another_process_wrote_meanwhile(folder: Path) -> None:
    found = read({"api_key": "old-value"})
    Path("config-0.json").write_text('{"api_key": "old-value", "page_size": 3}')
    found.save({"api_key": "new-value"})
    assert json.loads(Path("config-0.json").read_text())["page_size"] == 3


def test_saving_through_a_link_keeps_the_link(folder: Path) -> None:
    Path("real.json").write_text('{"api_key": "old-value"}')
    Path("link.json").symlink_to("real.json")
    config.read(tap_with(), ["link.json"], environ={}).save({"api_key": "new-value"})
    assert Path("link.json").is_symlink()
    assert json.loads(Path("real.json").read_text()) == {"api_key": "new-value"}


def test_what_cannot_be_saved_is_said_once_without_the_value(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read(environ={"TAP_TINY_API_KEY": "old-value"})
    found.save({"api_key": "new-value"})
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "api_key" in caplog.text
    assert "new-value" not in caplog.text


def test_a_file_that_is_gone_is_said_without_the_value(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read({"api_key": "old-value"})
    Path("config-0.json").unlink()
    found.save({"api_key": "new-value"})
    assert len(caplog.records) == 1
    assert "new-value" not in caplog.text


def test_a_failed_write_leaves_the_old_file_and_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = read({"api_key": "old-value"})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found.save({"api_key": "new-value"})
    assert "No space left on device" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["config-0.json"]
    assert json.loads(Path("config-0.json").read_text()) == {"api_key": "old-value"}


def test_a_token_renewed_by_another_process_is_seen(folder: Path) -> None:
    found = read({"api_key": "old-value"})
    Path("config-0.json").write_text('{"api_key": "renewed"}')
    assert found.reload()["api_key"] == "renewed"
    Path("config-0.json").write_text("{")
    assert found.reload() == {}


# Descriptions


def test_the_schema_marks_secrets_and_is_draft_4() -> None:
    schema = json_schema(tap_with(replace(KEY, required=True), MODE, START_DATE))
    Draft4Validator.check_schema(schema)
    assert schema["properties"]["api_key"]["secret"] is True
    assert schema["properties"]["api_key"]["writeOnly"] is True
    assert schema["required"] == ["api_key"]
    assert schema["properties"]["mode"]["enum"] == ["direct", "batch", None]
    assert schema["properties"]["start_date"]["format"] == "date-time"


def test_a_taps_own_setting_replaces_the_common_one() -> None:
    own = Setting(name="concurrency", type="integer", default=3, maximum=10)
    assert [setting for setting in settings_of(tap_with(own)) if setting.name == "concurrency"] == [own]


def test_persist_tokens_is_there_only_with_oauth() -> None:
    assert "persist_tokens" not in {setting.name for setting in settings_of(tap_with())}
    assert "persist_tokens" in {setting.name for setting in settings_of(tap_with(authorize=object()))}


def test_every_setting_of_every_tap_is_described(tap: Tap) -> None:
    Draft4Validator.check_schema(json_schema(tap))
    names = [name for setting in settings_of(tap) for name in (setting.name, *setting.aliases)]
    assert len(names) == len(set(names))
    for setting in settings_of(tap):
        assert setting.description, setting.name
        if setting.default is not None:
            assert cast(setting, setting.default) == setting.default
