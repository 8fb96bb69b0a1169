"""What is odd about the Mailchimp tap: hooks, gates, settings, older states, errors, batches."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from shared.api.answers import Response
from shared.api.client import Client, Context
from shared.api.request import Page, Request
from shared.command import config
from shared.errors import (
    ApiError,
    AuthError,
    ConfigError,
    GoneError,
    QuotaError,
    RefusedError,
    RetryableError,
    TooLargeError,
    UnavailableError,
)
from shared.protocol import schema
from shared.protocol.state import State
from shared.report import Report
from shared.streams import Rows, Stream, Unit
from shared.sync.paging import first_request
from shared.sync.units import partitions
from shared.tap import settings_of
from tap_mailchimp import activity, batches
from tap_mailchimp.client import Firewall, check, check_lists, connect, firewall_page, metadata_verdict, verdict
from tap_mailchimp.defaults import IN_LIST
from tap_mailchimp.merge_fields import KINDS, agreed
from tap_mailchimp.streams.audiences import is_recent
from tap_mailchimp.streams.members import members_of_list
from tap_mailchimp.streams.reports import EMAIL_ACTIVITY
from tap_mailchimp.tap import TAP, read_state, validate

STREAMS = {stream.name: stream for stream in TAP.streams}
KEY = "0123456789abcdef0123456789abcdef-us6"
API = "https://us6.api.mailchimp.com/3.0"
NOW = "2026-11-10T08:00:00.000000Z"
DEFAULTS = {setting.name: setting.default for setting in settings_of(TAP)}


def settings(**given_ones: Any) -> dict[str, Any]:
    return {**DEFAULTS, "start_date": "2026-01-01T00:00:00.000000Z", **given_ones}


def configured(tmp_path: Any, **given_ones: Any) -> config.Config:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"start_date": "2026-01-01", **given_ones}))
    return config.read(TAP, [str(file)], environ={})


def unit(stream: str = "reports_email_activity", **members: Any) -> Unit:
    return Unit(**{"stream": stream, "settings": settings(), "now": NOW, **members})


def client(**given_ones: Any) -> Client:
    valid = validate(settings(**(given_ones or {"api_key": KEY})))
    context = Context(settings=valid, report=Report("tap-mailchimp"), stop=threading.Event())
    return connect(context)


# E-mail activity


def recipient(*events: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {"campaign_id": "c", "list_id": "l", "email_id": "e", "activity": list(events), **members}


def records(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return list(activity.events(rows, unit(parent={"campaign_id": "c"})))


def test_each_event_becomes_a_record_with_its_recipient() -> None:
    click = {"action": "click", "timestamp": "2026-11-06T20:17:57+00:00", "url": "https://a.example", "ip": "1.2.3.4"}
    (record,) = records(recipient(click, email_address="a@example.com"))
    text = '["c","e","click","2026-11-06T20:17:57+00:00","https://a.example","1.2.3.4","",0]'
    assert record == {
        **click,
        "campaign_id": "c",
        "list_id": "l",
        "email_id": "e",
        "email_address": "a@example.com",
        "activity_id": sha256(text.encode()).hexdigest()[:32],
    }


@pytest.mark.parametrize("nothing", [{"activity": []}, {"activity": None}, {}])
def test_recipients_without_activity_give_no_records(nothing: dict[str, Any]) -> None:
    assert records({"campaign_id": "c", "email_id": "e", **nothing}) == []


def test_equal_events_are_told_apart_by_their_number() -> None:
    event = {"action": "open", "timestamp": "2026-11-06T20:17:57+00:00", "ip": "1.2.3.4"}
    found = records(recipient(event, event), recipient(event, email_id="other"))
    assert len({record["activity_id"] for record in found}) == 3


def test_unknown_members_of_an_event_pass_through_and_none_replaces_the_recipient() -> None:
    event = {"action": "open", "timestamp": "2026-11-06T20:17:57+00:00", "bot": True, "email_id": "evil"}
    (record,) = records(recipient(event))
    assert (record["bot"], record["email_id"]) == (True, "e")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"action": st.sampled_from(["open", "click"]), "timestamp": st.sampled_from(["1", "2"])},
            optional={"url": st.text(max_size=2), "ip": st.none()},
        ),
        max_size=8,
    )
)
def test_activity_ids_are_unique_and_the_same_on_every_read(events: list[dict[str, Any]]) -> None:
    first, second = records(recipient(*events)), records(recipient(*events))
    assert first == second
    assert len({record["activity_id"] for record in first}) == len(events)


def test_lone_surrogates_do_not_stop_an_event() -> None:
    assert records(recipient({"action": "click", "timestamp": "t", "url": "\ud83d"}))


# Gates


def report(**counters: Any) -> dict[str, Any]:
    return {
        "campaign_id": "c",
        **dict.fromkeys(activity.COUNTERS, 0),
        "opens.last_open": "",
        "clicks.last_click": "",
        "send_time": "2026-01-01T00:00:00+00:00",
        "emails_sent": 7,
        **counters,
    }


@pytest.mark.parametrize("counter", activity.COUNTERS)
def test_every_counter_moves_the_mark(counter: str) -> None:
    moved = "2026-11-01T00:00:00+00:00" if ".last_" in counter else 1
    before, after = (activity.activity_mark(unit(parent=report(**each))) for each in ({}, {counter: moved}))
    assert before != after


def test_an_unmoved_campaign_keeps_its_mark_whatever_the_day() -> None:
    marks = {activity.activity_mark(unit(parent=report(), now=now)) for now in (NOW, "2026-12-24T00:00:00.000000Z")}
    assert len(marks) == 1


def test_marks_hold_the_times_without_their_punctuation() -> None:
    parent = report(**{"opens.opens_total": 12, "opens.last_open": "2026-11-06T20:17:57+00:00"})
    assert activity.activity_mark(unit(parent=parent)) == "12/20261106201757/0//0/0/0"


def test_a_settling_campaign_is_visited_in_every_run_and_once_after() -> None:
    days = ["2026-11-10T08:00:00.000000Z", "2026-11-10T09:00:00.000000Z", "2026-11-16T08:00:00.000000Z"]
    parent = report(send_time="2026-11-09T00:00:00+00:00")
    marks = [activity.activity_mark(unit(parent=parent, now=now)) for now in days]
    later = activity.activity_mark(unit(parent=parent, now="2026-12-01T00:00:00.000000Z"))
    assert len(set(marks)) == 3
    assert marks[2] == later


def test_sent_to_is_visited_when_counters_move_and_once_when_settled() -> None:
    parent = report(send_time="2026-11-09T00:00:00+00:00")
    marks = [
        activity.sent_to_mark(unit(parent=parent, now=f"2026-11-{day}T08:00:00.000000Z")) for day in (10, 11, 16, 20)
    ]
    assert marks[0] == marks[1] != marks[2] == marks[3]


def test_emails_of_automations_have_no_counters_and_are_always_visited() -> None:
    parent = {"campaign_id": "c", "emails_sent": 3}
    for gate in (
        activity.activity_mark,
        activity.sent_to_mark,
        activity.opens_mark,
        activity.unchanged("unsubscribed"),
    ):
        assert gate(unit(parent=parent)) is True
    assert activity.has("unsubscribed")(unit(parent=parent))


def test_report_children_are_visited_when_their_counters_moved_unless_all_is_wanted() -> None:
    gate = activity.unchanged("unsubscribed")
    parent = report(unsubscribed=4)
    assert gate(unit(parent=parent)) == "4"
    assert gate(unit(parent=parent, settings=settings(incremental_reports=False))) is True
    assert gate(unit(parent=report(unsubscribed=None))) is True, "a counter that is not there vouches for nothing"


LIST_STATS = {
    "member_count": 7,
    "unsubscribe_count": 2,
    "cleaned_count": 1,
    "total_contacts": 12,
    "last_sub_date": "2026-11-01T00:00:00+00:00",
    "open_rate": 31.5,
}


def in_list(now: str = NOW, partition: str = "", **moved: Any) -> Unit:
    return unit("tags", parent={"list_id": "l", "stats": {**LIST_STATS, **moved}}, now=now, partition=partition)


@pytest.mark.parametrize("counter", LIST_STATS)
def test_what_hangs_under_a_list_is_read_when_any_of_its_counters_moved(counter: str) -> None:
    assert activity.list_mark(in_list()) != activity.list_mark(in_list(NOW, "", **{counter: 8}))


def test_what_hangs_under_a_list_is_read_once_a_day_whatever_its_counters_say() -> None:
    marks = [activity.list_mark(in_list(now)) for now in (NOW, "2026-11-10T23:59:59Z", "2026-11-11T00:00:00Z")]
    assert marks[0] == marks[1] != marks[2]


@pytest.mark.parametrize("counter", ["total_contacts", "last_sub_date"])
def test_a_list_without_its_counters_vouches_for_nothing(counter: str) -> None:
    stats = {name: value for name, value in LIST_STATS.items() if name != counter}
    assert activity.list_mark(unit("tags", parent={"list_id": "l", "stats": stats})) is True
    assert activity.list_mark(unit("tags", parent={"list_id": "l", "stats": None})) is True


def test_members_are_asked_for_in_every_run_but_for_archived_ones() -> None:
    gate = STREAMS["list_members"].gate
    assert gate is not None
    assert gate(in_list(partition="default")) is True
    assert gate(in_list(partition="archived")) == activity.list_mark(in_list())


def test_interests_come_group_by_group_and_know_theirs(mocked: responses.RequestsMock) -> None:
    base = f"{API}/lists/l/interest-categories"
    groups = [{"id": name, "list_id": "l"} for name in ("g1", "gone", "g2")]
    mocked.get(base, json={"categories": groups, "total_items": 3})
    mocked.get(f"{base}/g1/interests", json={"interests": [{"id": "i1"}, {"id": "i2"}], "total_items": 2})
    mocked.get(f"{base}/gone/interests", status=404)
    mocked.get(f"{base}/g2/interests", json={"interests": [{"id": "i1", "category_id": "g2"}], "total_items": 1})
    fetch = STREAMS["interests"].fetch
    assert fetch is not None
    asking = client()
    steps = fetch(asking, unit("interests", parent={"list_id": "l"}, settings=asking.settings))
    assert steps is not None
    found: list[Any] = []
    with pytest.raises(GoneError, match="gone/interests"):  # told once the others are read
        found.extend(steps)
    rows = [(row["category_id"], row["id"]) for step in found if isinstance(step, Rows) for row in step.rows]
    assert rows == [("g1", "i1"), ("g1", "i2"), ("g2", "i1")]


def test_campaigns_without_a_counter_s_events_are_left_out() -> None:
    where = activity.has("unsubscribed")
    assert [where(unit(parent={"unsubscribed": count})) for count in (0, 1, None)] == [False, True, True]


@pytest.mark.parametrize(
    ("sent", "days", "wanted"),
    [
        ("2026-11-03T00:00:00+00:00", 7, True),
        ("2026-11-02T23:59:59+00:00", 7, False),
        ("", 7, False),
        ("2001-01-01T00:00:00+00:00", 0, True),
        ("", 0, True),
    ],
)
def test_the_date_window_counts_utc_days_by_send_time(sent: str, days: int, wanted: bool) -> None:
    given_settings = settings(email_activity_date_window=days)
    assert activity.in_window(unit(parent={"send_time": sent}, settings=given_settings)) is wanted


def test_the_date_window_touches_no_other_stream() -> None:
    wheres = {name: [parent.where for parent in stream.parents] for name, stream in STREAMS.items()}
    assert [name for name, functions in wheres.items() if activity.in_window in functions] == ["reports_email_activity"]


# Open details


def test_open_details_keep_all_opens_and_tell_the_latest() -> None:
    opens = [{"timestamp": "2026-11-02T00:00:00+00:00"}, {"timestamp": "2026-11-01T00:00:00+00:00"}, {"timestamp": ""}]
    rows: list[dict[str, Any]] = [{"email_id": "a", "opens": opens}, {"email_id": "b", "opens": []}, {"email_id": "c"}]
    found = list(activity.opens(rows, unit()))
    assert [record["last_opened_at"] for record in found] == ["2026-11-02T00:00:00.000000Z", None, None]
    assert found[0]["opens"] == opens


def test_open_details_never_send_since() -> None:
    stream = STREAMS["reports_open_details"]
    asked = first_request(stream, unit(stream.name, parent={"campaign_id": "c"}, since=NOW))
    assert "since" not in asked.params


# Requests


def asked(name: str, *, partition: str = "", since: str | None = None, **given_ones: Any) -> dict[str, Any]:
    stream = STREAMS[name]
    chosen = settings(**given_ones)
    params = partitions(stream, chosen)[partition]
    parent = {key: "x" for each in stream.parents for key in each.keys}
    return dict(first_request(stream, unit(name, settings=chosen, params=params, parent=parent, since=since)).params)


def test_since_is_exclusive_so_one_second_less_is_sent() -> None:
    found = asked("list_members", partition="default", since="2026-11-01T00:00:00.000000Z")
    assert found["since_last_changed"] == "2026-10-31T23:59:59+00:00"


def test_archived_members_are_a_sweep_of_their_own() -> None:
    assert "status" not in asked("list_members", partition="default")
    assert asked("list_members", partition="archived")["status"] == "archived"
    assert list(partitions(STREAMS["list_members"], settings(include_archived=False))) == ["default"]


def test_templates_are_the_account_s_own_unless_others_are_asked_for() -> None:
    assert asked("templates", partition="user")["type"] == "user"
    assert list(partitions(STREAMS["templates"], settings(template_types=["base", "gallery"]))) == ["base", "gallery"]


def test_segments_of_all_types_are_one_walk() -> None:
    assert "type" not in asked("list_segments")
    assert asked("list_segments", partition="static", segment_types=["static"])["type"] == "static"


def test_deselected_fields_are_not_asked_for_but_what_hooks_need_is() -> None:
    sparse = EMAIL_ACTIVITY.sparse
    assert sparse is not None
    assert sparse(["email_address", "ip", "url", "_extra"]) == {
        "exclude_fields": "_links,emails._links,emails.email_address"
    }


def test_list_ids_leaves_other_lists_out_but_reads_lists_whole() -> None:
    assert IN_LIST.where is not None
    chosen = settings(list_ids=["a"])
    assert [IN_LIST.where(unit(parent={"list_id": name}, settings=chosen)) for name in "ab"] == [True, False]
    assert IN_LIST.where(unit(parent={"list_id": "b"}))
    assert STREAMS["lists"].parents == ()


def test_large_lists_are_begun_first() -> None:
    parent = {
        "stats.member_count": 5,
        "stats.unsubscribe_count": 3,
        "stats.cleaned_count": 2,
        "stats.total_contacts": 40,
    }
    assert members_of_list(unit(parent=parent)) == 10
    assert members_of_list(unit(parent=parent, partition="archived")) == 30
    assert members_of_list(unit(parent={})) == 0


def test_days_are_compared_as_days() -> None:
    since = "2026-11-03T09:30:00.000000Z"
    days = ("2026-11-02", "2026-11-03", "2026-11-04")
    assert [is_recent({"day": day}, unit(since=since)) for day in days] == [False, True, True]
    assert is_recent({"day": None}, unit())


def test_rows_of_one_parent_that_are_equal_are_numbered_over_all_pages() -> None:
    transform, one = STREAMS["chimp_chatter"].transform, unit("chimp_chatter")
    assert transform is not None
    news: dict[str, Any] = {"update_time": NOW, "type": "lists:imports", "title": "x"}
    pages = [[news, {**news, "title": None}, news], [news, {**news, "title": ""}]]
    made = [record for rows in pages for record in transform(rows, one)]
    assert [(record["title"], record["_index"]) for record in made] == [
        ("x", 0), ("(none)", 0), ("x", 1), ("x", 2), ("(none)", 1),
    ]  # fmt: skip
    assert [record["_index"] for record in transform([news], unit("chimp_chatter"))] == [0]


@pytest.mark.parametrize(("stream", "link"), [("account_exports", "download_url"), ("batches", "response_body_url")])
def test_links_that_open_the_account_s_data_are_neither_asked_for_nor_written(stream: str, link: str) -> None:
    row = STREAMS[stream]
    assert f"{row.records}.{link}" in first_request(row, unit(stream)).params["exclude_fields"].split(",")
    assert made(stream, {"id": "b", link: "https://x.example/?Signature=s"}) == [{"id": "b"}]


def test_ids_of_lists_are_text_whatever_they_come_as() -> None:
    transform = STREAMS["conversation_messages"].transform
    assert transform is not None
    rows: list[dict[str, Any]] = [{"id": "a", "list_id": 7}, {"id": "b", "list_id": "7"}, {"id": "c", "list_id": None}]
    assert [row["list_id"] for row in transform(rows, unit())] == ["7", "7", None]


def test_links_are_visited_when_clicked_since() -> None:
    gate = STREAMS["reports_click_details_members"].gate
    assert gate is not None
    parent = {"total_clicks": 3, "unique_clicks": 2, "last_click": "2026-11-01T00:00:00+00:00"}
    assert gate(unit(parent=parent, settings=settings(incremental_reports=False))) is True
    assert gate(unit(parent={**parent, "total_clicks": None})) is True
    marks = {gate(unit(parent={**parent, **moved})) for moved in ({}, {"total_clicks": 4}, {"x": 1})}
    assert marks == {"3/2/20261101000000", "4/2/20261101000000"}


@pytest.mark.parametrize(("type_", "wanted"), [("regular", False), ("plaintext", False), ("rss", True), (None, True)])
def test_only_campaigns_of_several_parts_are_asked_for_them(type_: str | None, wanted: bool) -> None:
    where = STREAMS["reports_sub_reports"].parents[0].where
    assert where is not None
    assert where(unit(parent={"campaign_id": "c", "type": type_})) is wanted


@pytest.mark.parametrize(
    ("type_", "parts", "wanted"),
    [("regular", [], False), ("regular", None, False), ("regular", [{"id": "r"}], True), ("rss", [{"id": "r"}], False)],
)
def test_campaigns_that_were_sent_again_are_asked_for_these_parts(type_: str, parts: Any, wanted: bool) -> None:
    (parent,) = (parent for parent in STREAMS["reports_sub_reports"].parents if parent.stream == "campaigns")
    assert parent.where is not None
    shown = {"type": type_, "resend_shortcut_usage.shortcut_campaigns": parts}
    assert parent.where(unit(parent={"campaign_id": "c", **shown})) is wanted
    asked = first_request(STREAMS["campaigns"], unit("campaigns")).params
    assert asked["include_resend_shortcut_usage"] is True


def test_whether_campaigns_may_be_sent_again_is_asked_for_who_selects_it() -> None:
    for deselected in (frozenset[str](), frozenset({"resend_shortcut_eligibility"})):
        asked = first_request(STREAMS["campaigns"], unit("campaigns", deselected=deselected)).params
        assert asked.get("include_resend_shortcut_eligibility", False) is (not deselected)


@pytest.mark.parametrize(
    ("draft", "wanted"),
    [
        ({"emails_sent": 0, "status": "save"}, False),
        ({"emails_sent": 0, "status": "sending"}, True),
        ({"emails_sent": 2, "status": "save"}, True),
        ({"emails_sent": None, "status": None}, False),
    ],
)
def test_drafts_of_automations_are_not_asked_for_reports(draft: dict[str, Any], wanted: bool) -> None:
    for name in ("unsubscribes", "reports_email_activity", "reports_sub_reports"):
        (parent,) = (parent for parent in STREAMS[name].parents if parent.stream == "automation_emails")
        assert set(draft) <= set(parent.carry)
        assert parent.where is not None
        assert parent.where(unit(parent=draft)) is wanted


# Rows without an id of their own


def made(stream: str, *rows: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    transform = STREAMS[stream].transform
    assert transform is not None
    return list(transform(rows, unit(stream, **members)))


PEOPLE = {
    "unsubscribes": "email_id",
    "reports_sent_to": "email_id",
    "reports_open_details": "email_id",
    "reports_click_details_members": "email_id",
    "automation_email_queue": "id",
    "automation_removed_subscribers": "id",
}


@pytest.mark.parametrize(("stream", "name"), PEOPLE.items())
def test_people_without_an_id_have_that_of_their_address_or_contact_or_a_number(stream: str, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {name: "e1", "email_address": "Ana@example.com"},
        {name: "", "email_address": "Ana@example.com"},
        {name: None, "email_address": "", "contact_id": "k1"},
        {name: "", "email_address": "", "vip": True},
        {"vip": False},
    ]
    ids = [record[name] for record in made(stream, *rows)]
    assert ids == ["e1", "cdb9d6a1dddc375a09cc83e3001598dc", "k1", "(none)", "(none) 1"]
    identity = STREAMS[stream].identity
    assert callable(identity)
    assert len({identity(row) for row in rows}) == len(rows), "none is taken for another on pages that overlap"


@pytest.mark.parametrize("stream", ["list_members", "list_segment_members"])
def test_members_without_an_address_are_keyed_by_their_contact_and_others_left_to_be_named(stream: str) -> None:
    rows: list[dict[str, Any]] = [{"id": "m1"}, {"id": "", "contact_id": "k1"}, {"id": None, "full_name": "Nobody"}]
    assert [record["id"] for record in made(stream, *rows)] == ["m1", "k1", None]


def test_events_of_recipients_without_an_id_are_told_apart() -> None:
    event = {"action": "open", "timestamp": "2026-11-06T20:17:57+00:00"}
    nobodies = [recipient(event, email_id="", vip=number) for number in range(2)]
    rows = records(*nobodies, recipient(event, email_id=None, email_address="b@example.com"))
    assert [row["email_id"] for row in rows[:2]] == ["(none)", "(none) 1"]
    assert len({row["activity_id"] for row in rows}) == len({row["email_id"] for row in rows}) == 3
    quiet = records(recipient(email_id=""), recipient(event, email_id=""))
    assert quiet[0]["email_id"] == "(none) 1", "the number is the recipient's, whoever did something"


NUMBERED = {
    "list_locations": ("cc",),
    "list_clients": ("client",),
    "list_signup_forms": ("signup_form_url",),
    "reports_domain_performance": ("domain",),
    "reports_locations": ("country_code", "region"),
    "reports_ecommerce_product_activity": ("title", "sku"),
}


@pytest.mark.parametrize(("stream", "names"), NUMBERED.items())
def test_rows_without_an_id_of_their_own_are_numbered_and_none_is_dropped(stream: str, names: tuple[str, ...]) -> None:
    row = STREAMS[stream]
    rows = [{name: value, "n": n} for n, value in enumerate(("", None, "x", "", "x")) for name in names[:1]]
    keys = [tuple(record[name] for name in (names[0], "_index")) for record in made(stream, *rows)]
    assert keys == [("(none)", 0), ("(none)", 1), ("x", 0), ("(none)", 2), ("x", 1)]
    assert row.key_properties == (*(row.contract_key or ()), "_index")
    assert row.counted, "twins are two"


@pytest.mark.parametrize("stream", ["campaigns", "automations", "automation_emails"])
def test_segment_options_are_an_object_whichever_shape_they_come_in(stream: str) -> None:
    condition = {"field": "EMAIL", "op": "contains", "value": "x"}
    shapes: list[Any] = [[condition], {"match": "any", "conditions": [condition]}, [], None]
    rows = [{"id": str(n), "recipients": {"list_id": "l", "segment_opts": shape}} for n, shape in enumerate(shapes)]
    found = [
        record["recipients"]["segment_opts"] for record in made(stream, *rows, {"id": "x"}, {"recipients": None})[:4]
    ]
    assert found == [{"conditions": [condition]}, shapes[1], None, None]


def test_members_without_tags_or_notes_cost_no_request() -> None:
    tags, notes = (STREAMS[name].parents[0].where for name in ("member_tags", "member_notes"))
    assert tags is not None and notes is not None
    assert [tags(unit(parent={"tags_count": count})) for count in (0, 3, None)] == [False, True, True]
    assert [notes(unit(parent={"last_note": note})) for note in (None, {"note_id": 1})] == [False, True]


def test_list_ids_names_audiences_too() -> None:
    where = STREAMS["audience_contacts"].parents[0].where
    assert where is not None
    one = unit(parent={"audience_id": "a"}, settings=settings(list_ids=["a"]))
    assert where(one)
    assert not where(unit(parent={"audience_id": "b"}, settings=settings(list_ids=["a"])))
    assert where(unit(parent={"audience_id": "b"}))


def test_contacts_are_walked_by_cursor() -> None:
    stream = STREAMS["audience_contacts"]
    assert stream.next_page is not None
    request = first_request(stream, unit("audience_contacts", parent={"audience_id": "a"}, since=NOW))
    assert request.params["updated_since"] == "2026-11-10T07:59:59+00:00"
    (following,) = stream.next_page(Page(request, {"next_cursor": "c2"}, []))
    assert following.params["cursor"] == "c2" and following.params["updated_since"]
    assert not stream.next_page(Page(request, {"next_cursor": ""}, []))


def test_key_columns_that_the_api_leaves_out_or_empty_say_so() -> None:
    transform = STREAMS["reports_locations"].transform
    assert transform is not None
    rows: list[dict[str, Any]] = [
        {"country_code": "ES", "region": None},
        {"country_code": "ES"},
        {"country_code": "ES", "region": "MD"},
    ]
    assert [record["region"] for record in transform(rows, unit())] == ["(none)", "(none)", "MD"]


def test_campaign_status_filters_what_is_written() -> None:
    transform = STREAMS["campaigns"].transform
    assert transform is not None
    rows = [{"status": "sent"}, {"status": "save"}, {"status": "archived"}]
    chosen = unit(settings=settings(campaign_status=["sent", "archived"]))
    assert [row["status"] for row in transform(rows, chosen)] == ["sent", "archived"]
    assert len(list(transform(rows, unit()))) == 3


def test_contract_keys_are_the_documented_ones() -> None:
    keys = {name: stream.contract_key or stream.key_properties for name, stream in STREAMS.items() if stream.seed}
    assert keys == {
        "lists": ("id",),
        "list_members": ("id", "list_id"),
        "list_segments": ("id",),
        "list_segment_members": ("id",),
        "campaigns": ("id",),
        "reports_email_activity": ("campaign_id", "action", "email_id", "timestamp"),
        "unsubscribes": ("campaign_id", "email_id"),
        "automations": ("id",),
    }


def test_what_few_need_or_costs_much_is_not_selected_by_default() -> None:
    expected = """
        reports_sent_to reports_click_details_members reports_advice reports_eepurl reports_sub_reports
        campaign_content campaign_feedback automation_email_queue automation_removed_subscribers sms_campaigns
        list_webhooks list_signup_forms member_tags member_notes member_activity member_activity_feed member_events
        member_goals audience_contacts
        template_folders ecommerce_promo_rules ecommerce_promo_codes file_manager_files file_manager_folders
        reporting_surveys reporting_survey_questions reporting_survey_responses reporting_survey_answers facebook_ads
        conversations conversation_messages verified_domains connected_sites chimp_chatter
        list_surveys campaign_checklists sms_campaign_content template_default_content landing_page_content
        account_exports authorized_apps batches
    """
    assert {name for name, stream in STREAMS.items() if not stream.selected} == set(expected.split())


def test_start_date_names_the_streams_that_begin_there() -> None:
    (told,) = (setting.description for setting in TAP.settings if setting.name == "start_date")
    begin = {name for name, stream in STREAMS.items() if stream.replication_key and stream.start_date}
    assert begin & set(re.findall("[a-z]+(?:_[a-z]+)+", told)) == {
        name for name in begin if not STREAMS[name].full_table
    }


# Settings


def test_the_data_centre_comes_from_the_key(tmp_path: Any) -> None:
    assert configured(tmp_path, api_key=KEY).settings["dc"] == "us6"


@pytest.mark.parametrize("name", ["dc", "server", "data_center"])
def test_a_key_without_data_centre_takes_it_from_the_settings(name: str, tmp_path: Any) -> None:
    assert configured(tmp_path, api_key=KEY[:32], **{name: "us9"}).settings["dc"] == "us9"


@pytest.mark.parametrize(
    ("given_ones", "words"),
    [
        ({"api_key": KEY, "dc": "us7"}, "belongs to us6"),
        ({"api_key": KEY[:32]}, "dc is missing"),
        ({"api_key": KEY[:32], "dc": "us6.evil.example/"}, "no data centre"),
        ({"client_id": "1", "client_secret": "secret"}, "api_key or access_token is missing"),
        ({"api_key": KEY, "segment_types": ["statik"]}, "segment_types"),
        ({"api_key": KEY, "campaign_status": "sended"}, "campaign_status"),
        ({"api_key": KEY, "email_activity_date_window": "a week"}, "email_activity_date_window"),
        ({"api_key": KEY, "concurrency": 11}, "concurrency"),
        ({"api_key": KEY, "start_date": ""}, "start_date"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_do(given_ones: dict[str, Any], words: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        configured(tmp_path, **given_ones)
    assert KEY[:32] not in str(raised.value)


def test_an_odd_api_key_is_warned_of_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    validate(settings(api_key="Odd.Key-us6"))
    assert "does not look like one" in caplog.text
    assert "Odd.Key" not in caplog.text


def test_a_config_of_the_singer_io_tap_works_unchanged(tmp_path: Any) -> None:
    found = configured(
        tmp_path,
        access_token="0" * 32,
        start_date="2026-01-01T00:00:00Z",
        page_size="500",
        request_timeout="0",
        email_activity_date_window="30",
        user_agent="me",
    ).settings
    expected = {"page_size": 500, "request_timeout": 150, "email_activity_date_window": 30, "dc": None}
    assert {name: found[name] for name in expected} == expected


def test_page_sizes_beyond_the_api_s_are_clamped(tmp_path: Any) -> None:
    assert configured(tmp_path, api_key=KEY, page_size=5000).settings["page_size"] == 1000


def test_nested_credentials_of_another_connector_are_found(tmp_path: Any) -> None:
    found = configured(tmp_path, credentials={"auth_type": "apikey", "apikey": KEY}, data_center="us6").settings
    assert (found["api_key"], found["dc"]) == (KEY, "us6")


@pytest.mark.parametrize("value", ["p1, p3", ["p1,p3"], ["p1", "p3"], '["p1", "p3"]'])
def test_list_ids_may_be_text_with_commas(value: Any, tmp_path: Any) -> None:
    assert configured(tmp_path, api_key=KEY, list_ids=value).settings["list_ids"] == ["p1", "p3"]


def test_an_endpoint_without_version_gets_it(tmp_path: Any) -> None:
    found = configured(tmp_path, access_token="x" * 32, api_endpoint="https://us6.api.mailchimp.com").settings
    assert found["base_url"] == API


def test_seed_keys_is_the_key_mode(tmp_path: Any) -> None:
    assert configured(tmp_path, api_key=KEY, seed_keys="true").settings["key_mode"] == "contract"


# States of the singer-io tap

OLD_STATE = {
    "bookmarks": {
        "lists": {
            "16d6": {"list_members": {"datetime": "2026-11-01T10:00:00+00:00"}},
            "empty": {"list_members": {"datetime": None}},
        },
        "reports_email_activity": {"7847": "2026-11-02T10:00:00+00:00", "quiet": None},
        "reports_email_activity_last_run_id": "a3bb",
        "reports_email_activity_next_chunk": 3,
    },
    "current_stream": "lists",
}


def test_an_old_state_goes_on_where_it_was() -> None:
    state = State.read(read_state(OLD_STATE, settings()))
    assert state.get("list_members", "last_changed", "16d6/default").value == "2026-11-01T10:00:00.000000Z"
    assert state.get("reports_email_activity", "timestamp", "7847").value == "2026-11-02T10:00:00.000000Z"


def test_an_old_state_says_nothing_of_archived_members_and_of_campaigns_without_events() -> None:
    state = read_state(OLD_STATE, settings())
    assert state["bookmarks"] == {
        "list_members": {"units": {"16d6/default": "2026-11-01T10:00:00+00:00"}},
        "reports_email_activity": {"units": {"7847": "2026-11-02T10:00:00+00:00"}},
    }


OUR_STATE = {
    "bookmarks": {
        "list_members": {"units": {"16d6/default": NOW, "16d6/archived": NOW}, "refreshed": NOW},
        "reports_email_activity": {
            "timestamp": NOW,
            "units": {"7847": [NOW, "1/2/3"]},
            "resume": {"units": {"7847": {"id": "b", "units": ["7847"]}}},
        },
        "lists": {"resume": {"began": NOW}},
    },
    "theirs": 1,
}


@pytest.mark.parametrize("state", [OUR_STATE, {}, {"bookmarks": {}}, {"bookmarks": None}])
def test_our_own_state_passes_untouched(state: dict[str, Any]) -> None:
    assert read_state(state, settings()) == state


def test_where_both_shapes_meet_ours_wins() -> None:
    activity_bookmarks = {"7847": "2020-01-01T00:00:00Z", "units": {"7847": NOW}}
    state = read_state({"bookmarks": {"reports_email_activity": activity_bookmarks}}, settings())
    assert state["bookmarks"]["reports_email_activity"] == {"units": {"7847": NOW}}


# What answers mean


def problem(status: int, detail: str = "", *, is_json: bool = True, **headers: str) -> Response:
    body = json.dumps({"title": "T", "status": status, "detail": detail}) if is_json else "<html>"
    return Response(status, headers, body.encode())


@pytest.mark.parametrize(
    ("status", "is_json", "expected"),
    [
        (400, True, ApiError),
        (401, True, AuthError),
        (403, True, RefusedError),
        (403, False, RetryableError),
        (404, True, GoneError),
        (405, True, ApiError),
        (414, True, ApiError),
        (422, True, ApiError),
        (426, True, ApiError),
        (429, False, RetryableError),
        (500, True, RetryableError),
        (504, False, RetryableError),
    ],
)
def test_statuses_mean_what_mailchimp_means(status: int, is_json: bool, expected: type[ApiError]) -> None:
    found = verdict(Request("/lists"), problem(status, is_json=is_json))
    assert type(found) is expected
    assert not isinstance(found, TooLargeError)


def test_good_answers_mean_nothing() -> None:
    assert verdict(Request("/lists"), Response(200, {}, b"{}")) is None


def test_too_many_connections_means_one_less() -> None:
    found = verdict(Request("/lists"), problem(429, is_json=False, **{"Retry-After": "7"}))
    assert isinstance(found, RetryableError)
    assert (found.fewer_connections, found.everyone, found.wait_seconds) == (True, True, 7)


def test_a_refused_ping_is_a_refused_credential() -> None:
    assert isinstance(verdict(Request("/ping"), problem(403, "User Disabled")), AuthError)


def test_the_wrong_data_centre_is_named_as_a_cause() -> None:
    words = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    found = verdict(Request("/lists"), problem(401, words))
    assert "another data centre" in str(found)
    assert "another data centre" not in str(verdict(Request("/lists"), problem(401, "API Key Invalid")))


ACCESS_DENIED = (
    b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>You have no permission to reach this server."
    b"<P>Reference&#32;&#35;18&#46;6d0b1</BODY></HTML>"
)


@pytest.mark.parametrize("status", [403, 503])
def test_a_blocked_address_is_tried_three_times_and_then_told_with_the_firewall_s_reference(status: int) -> None:
    firewall, denied = Firewall(), Response(status, {}, ACCESS_DENIED)
    tries = [firewall.verdict(Request("/lists"), denied) for _ in range(3)]
    assert [type(found) for found in tries] == [RetryableError, RetryableError, QuotaError]
    assert all(found.everyone for found in tries[:2])  # type: ignore[union-attr]
    assert "firewall" in str(tries[2])
    assert "reference #18.6d0b1" in str(tries[2])
    assert isinstance(firewall.verdict(Request("/reports"), denied), QuotaError), "others need not try"
    assert firewall.verdict(Request("/lists"), Response(200, {}, b"{}")) is None
    assert isinstance(firewall.verdict(Request("/reports"), denied), RetryableError), "something got through"


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b'{"detail": "access denied"}'])
def test_only_a_firewall_s_page_is_taken_for_one(body: bytes) -> None:
    assert firewall_page(Response(403, {}, body)) is None
    assert firewall_page(Response(200, {}, ACCESS_DENIED)) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("This feature requires a paid plan.", UnavailableError),
        ("Upgrade your account to use transactional e-mail.", UnavailableError),
        ("Your user role does not have access to this list.", RefusedError),
        ("Your role does not allow this on this plan.", RefusedError),
        ("You don't have permission to access the requested resource.", RefusedError),
        ("", RefusedError),
    ],
)
def test_what_the_plan_lacks_is_told_from_what_the_user_may_not(words: str, expected: type[ApiError]) -> None:
    assert type(verdict(Request("/reports"), problem(403, words))) is expected


def test_an_expired_link_to_a_result_is_no_throttling() -> None:
    link = Request("https://bucket.s3.amazonaws.com/x.tar.gz")
    assert isinstance(verdict(link, problem(403, is_json=False)), RefusedError)


def test_a_dead_token_is_told_from_good_metadata_by_its_body() -> None:
    request = Request("/oauth2/metadata")
    dead = Response(200, {}, b'{"error": "invalid_token", "error_description": "The access token is invalid."}')
    assert isinstance(metadata_verdict(request, dead), AuthError)
    assert metadata_verdict(request, Response(200, {}, b'{"api_endpoint": "https://us6.api.mailchimp.com"}')) is None


# Merge fields


def fields(*pairs: tuple[str, str]) -> Iterator[dict[str, Any]]:
    return iter([{"tag": tag, "type": kind} for tag, kind in pairs])


def test_a_tag_that_lists_define_differently_is_text() -> None:
    met = fields(("A", "number"), ("B", "address"), ("A", "number"), ("C", "birthday"), ("B", "text"), ("a", "number"))
    assert agreed(met) == {"A": "number", "B": "text", "C": "text"}


TEXTS = st.text("ABab", max_size=2)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["number", "address", "zip", "date", ""]))))
def test_merge_fields_in_whatever_order_have_the_same_types_and_no_two_names_but_for_case(
    pairs: list[tuple[str, str]],
) -> None:
    found = agreed(fields(*pairs))
    assert len({tag.casefold() for tag in found}) == len(found)
    assert "" not in found
    for tag, kind in agreed(fields(*reversed(pairs))).items():
        assert found.get(tag, kind) == kind


def test_numbers_and_addresses_that_are_not_filled_in_are_null_and_text_stays_empty() -> None:
    kinds = {"N": "number", "A": "address", "T": "text"}
    row = {"id": "m", "merge_fields": {"N": "", "A": "", "T": "", "NEW": ""}}
    (record,) = made("list_members", row, {"id": "x", "merge_fields": None}, settings=settings(**{KINDS: kinds}))[:1]
    assert record["merge_fields"] == {"N": None, "A": None, "T": "", "NEW": ""}


def listing(mocked: responses.RequestsMock, definitions: Mapping[str, Any]) -> None:
    lists = [{"id": name} for name in definitions]
    mocked.get(f"{API}/lists", json={"lists": lists, "total_items": len(lists)})
    for name, found in definitions.items():
        if isinstance(found, int):
            mocked.get(f"{API}/lists/{name}/merge-fields", status=found, json={"detail": "Not yours."})
        elif found is not None:
            rows = [{"merge_id": n, "tag": tag, "type": kind} for n, (tag, kind) in enumerate(found)]
            mocked.get(f"{API}/lists/{name}/merge-fields", json={"merge_fields": rows, "total_items": len(rows)})


def test_merge_fields_are_typed_by_the_lists_that_are_read(mocked: responses.RequestsMock) -> None:
    """`l4` is not in `list_ids`; `l2` is not for this user, `l3` is gone."""
    mine = {"api_key": KEY, "list_ids": ["l1", "l2", "l3"]}
    listing(
        mocked, {"l1": [("FNAME", "text"), ("SIZE", "number"), ("HOME", "address")], "l2": 403, "l3": 404, "l4": None}
    )
    asking = client(**mine)
    row = STREAMS["list_members"]
    assert row.extend_schema is not None
    loaded = schema.load(TAP.schemas, "list_members")
    extended = row.extend_schema(loaded, asking)
    found = extended["properties"]["merge_fields"]["properties"]
    assert {tag: schema.type_of(part) for tag, part in found.items()} == {
        "FNAME": "string", "SIZE": "number", "HOME": "object",
    }  # fmt: skip
    assert schema.check(extended, row.key_properties) == []
    assert "properties" not in loaded["properties"]["merge_fields"], "the one given stays as it is"
    asked = len(mocked.calls)
    assert STREAMS["list_segment_members"].extend_schema(loaded, asking) == extended  # type: ignore[misc]
    assert len(mocked.calls) == asked, "asked for once"


def test_merge_fields_may_stay_an_object_of_any_content() -> None:
    loaded = schema.load(TAP.schemas, "list_members")
    assert (
        STREAMS["list_members"].extend_schema(  # type: ignore[misc]
            loaded, client(api_key=KEY, typed_merge_fields=False)
        )
        is loaded
    )


# Over HTTP


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_an_api_key_goes_out_as_basic_to_its_data_centre(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{API}/ping", json={"health_status": "Everything's Chimpy!"})
    check(client())
    sent = mocked.calls[0].request.headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode().partition(":")[2] == KEY


def test_a_token_s_data_centre_is_asked_for_once(mocked: responses.RequestsMock) -> None:
    mocked.get(
        "https://login.mailchimp.com/oauth2/metadata",
        json={"dc": "us9", "api_endpoint": "https://us9.api.mailchimp.com"},
    )
    mocked.get("https://us9.api.mailchimp.com/3.0/ping", json={})
    asking = client(access_token="f" * 32)
    check(asking)
    check(asking)
    sent = [call.request.headers["Authorization"] for call in mocked.calls]
    assert sent == [f"OAuth {'f' * 32}", f"Bearer {'f' * 32}", f"Bearer {'f' * 32}"]


def test_a_revoked_token_stops_with_what_to_do(mocked: responses.RequestsMock) -> None:
    mocked.get("https://login.mailchimp.com/oauth2/metadata", json={"error": "invalid_token"})
    with pytest.raises(AuthError, match="--authorize") as raised:
        check(client(access_token="f" * 32))
    assert "f" * 32 not in str(raised.value)


def test_a_code_is_exchanged_once_and_the_token_saved(mocked: responses.RequestsMock) -> None:
    mocked.post(
        "https://login.mailchimp.com/oauth2/token", json={"access_token": "a" * 32, "expires_in": 0, "scope": None}
    )
    mocked.get(f"{API}/ping", json={})
    saved: list[Mapping[str, Any]] = []
    exchange = {"client_id": "1", "client_secret": "s" * 8, "redirect_uri": "http://127.0.0.1:9", "code": "c" * 8}
    context = Context(
        settings=validate(settings(**exchange, dc="us6")), report=Report("tap-mailchimp"), save=saved.append
    )
    asking = connect(context)
    check(asking)
    check(asking)
    assert saved == [{"access_token": "a" * 32}]
    assert len([call for call in mocked.calls if "token" in (call.request.url or "")]) == 1


def test_unknown_lists_are_refused_by_name(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{API}/lists", json={"lists": [{"id": "a", "name": "News"}], "total_items": 1})
    with pytest.raises(ConfigError, match=r"no list b, c\. There are: a \(News\)"):
        check_lists(client(api_key=KEY, list_ids=["a", "c", "b"]))


def test_lists_are_not_asked_for_when_none_is_named() -> None:
    check_lists(client())


# Batches


def archive(*files: bytes | None) -> io.BytesIO:
    """A result of a batch; None stands for a folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as packed:
        for number, content in enumerate(files):
            member = tarfile.TarInfo(f"{number}.json")
            if content is None:
                member.type = tarfile.DIRTYPE
            member.size = len(content or b"")
            packed.addfile(member, io.BytesIO(content or b""))
    file.seek(0)
    return file


def result(operation: str, body: Any, status: int = 200) -> dict[str, Any]:
    return {"status_code": status, "operation_id": operation, "response": json.dumps(body)}


def answer(*emails: str, total: int | None = None) -> dict[str, Any]:
    rows = [{"email_id": each, "activity": [{"timestamp": "2026-11-02T00:00:00+00:00"}]} for each in emails]
    return {"emails": rows, "total_items": len(rows) if total is None else total}


def test_an_archive_may_have_folders_and_empty_files_and_repeat_operations() -> None:
    files = [None, b"", json.dumps([result("a", {"emails": [1]}), result("b", {"emails": []})]).encode(), b"[]"]
    files.append(json.dumps([result("a", {"emails": [2]}), result("c", {"title": "x"}, 404)], indent=2).encode())
    found = [(operation, status) for operation, status, _, _ in batches.entries(archive(*files))]
    assert found == [("a", 200), ("b", 200), ("a", 200), ("c", 404)]


def test_an_archive_that_ends_early_is_no_archive() -> None:
    whole = archive(json.dumps([result("a", {"emails": ["x" * 1000] * 50})]).encode() * 1).getvalue()
    with pytest.raises(RetryableError):
        list(batches.entries(io.BytesIO(whole[: len(whole) // 2])))


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.none(), max_size=3), max_size=10),
    st.integers(1, 50),
    st.sampled_from([None, 1]),
)
def test_elements_come_out_whole_however_the_bytes_are_cut(
    rows: list[dict[str, Any]], size: int, indent: int | None
) -> None:
    data = json.dumps(rows, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    data.decode()
    assert list(batches.elements(data[start : start + size] for start in range(0, len(data), size))) == rows


def test_rows_are_given_to_their_campaigns_and_counted() -> None:
    parts = [unit(key="a"), unit(key="b"), unit(key="c")]
    tallies = {part.key: batches.Tally() for part in parts}
    results = [
        result("a", answer("1", "2", total=3)),
        result("x", answer("9")),
        result("b", answer("1", total=2)),
        result("a", answer("3", total=3)),
        result("c", {"title": "Resource Not Found"}, 404),
    ]
    steps = list(batches.rows(archive(json.dumps(results).encode()), parts, tallies))
    assert [(step.unit.key, len(step.rows)) for step in steps if step.unit] == [("a", 2), ("b", 1), ("a", 1)]
    assert [tallies[part.key].is_whole for part in parts] == [True, False, False]
    assert tallies["a"].newest == "2026-11-02T00:00:00.000000Z"
    assert tallies["c"].status == 404


def test_an_operation_asks_for_what_a_direct_request_would_but_not_for_a_page() -> None:
    part = unit(key="c1", parent={"campaign_id": "c/1"}, since="2026-11-01T00:00:00.000000Z")
    assert batches.operation(part, EMAIL_ACTIVITY) == {
        "method": "GET",
        "path": "/reports/c%2F1/email-activity",
        "operation_id": "c1",
        "params": {"since": "2026-10-31T23:59:59+00:00", "exclude_fields": "_links,emails._links"},
    }


def test_only_batch_mode_reads_campaigns_together() -> None:
    found = [batches.campaigns(settings(email_activity_mode=mode)) for mode in ("direct", "auto", "batch")]
    assert found == [1, 1, 100]


@pytest.mark.parametrize(
    ("status", "url", "is_done", "is_lost"),
    [("pending", "", False, False), ("finished", "https://s3.example/x", True, False), ("finished", "", False, True)],
)
def test_a_finished_batch_without_result_is_lost(
    status: str, url: str, is_done: bool, is_lost: bool, mocked: responses.RequestsMock
) -> None:
    mocked.get(f"{API}/batches/b1", json={"id": "b1", "status": status, "response_body_url": url})
    found = batches.poll(client(), "b1")
    assert (found.is_done, found.is_lost) == (is_done, is_lost)


def test_a_batch_whose_answer_was_lost_is_found_again(mocked: responses.RequestsMock) -> None:
    import requests

    asking = replace_wait(client())
    mocked.post(f"{API}/batches", body=requests.ConnectionError("reset"))
    mocked.get(
        f"{API}/batches",
        json={
            "batches": [
                {"id": "old", "total_operations": 1, "submitted_at": "2020-01-01T00:00:00+00:00"},
                {"id": "other", "total_operations": 2, "submitted_at": "2999-01-01T00:00:00+00:00"},
                {"id": "ours", "total_operations": 1, "submitted_at": "2999-01-01T00:00:00+00:00"},
            ]
        },
    )
    parts = [unit(key="a", parent={"campaign_id": "a"})]
    assert batches.start(asking, parts, EMAIL_ACTIVITY) == "ours"


def replace_wait(asking: Client) -> Client:
    asking.wait = lambda seconds: None
    return asking


def through_batch(mocked: responses.RequestsMock, built: Unit, results: list[dict[str, Any]]) -> list[Any]:
    """The steps of a unit read in batch mode, with the archive made of `results`."""
    url = "https://bucket.s3.amazonaws.com/b1.tar.gz"
    if not built.resume:
        mocked.post(f"{API}/batches", json={"id": "b1", "status": "pending"})
    mocked.get(f"{API}/batches/b1", json={"id": "b1", "status": "finished", "response_body_url": url})
    mocked.get(url, body=archive(json.dumps(results).encode()).read())
    steps = batches.fetch(client(), built, EMAIL_ACTIVITY)
    assert steps is not None
    return list(steps)


def grouped(*keys: str, **members: Any) -> Unit:
    chosen = settings(email_activity_mode="batch")
    parts = tuple(
        unit(key=key, parent={"campaign_id": key}, settings=chosen, scratch={"mark": f"m{key}"}) for key in keys
    )
    return unit(key=keys[0], units=parts, settings=chosen, **members)


def test_a_batch_vouches_for_each_campaign_with_its_newest_event(mocked: responses.RequestsMock) -> None:
    steps = through_batch(mocked, grouped("a", "b"), [result("b", answer("1")), result("a", answer("1", "2"))])
    marks = [(step.unit.key, step.unit.scratch["mark"], step.value) for step in steps if getattr(step, "value", None)]
    newest = "2026-11-02T00:00:00.000000Z"
    assert marks == [("a", "ma", newest), ("b", "mb", newest)]
    assert "Authorization" not in mocked.calls[2].request.headers


def test_a_campaign_gone_meanwhile_is_left_out_and_not_vouched_for(mocked: responses.RequestsMock) -> None:
    results = [result("a", {"title": "Resource Not Found"}, 404), result("b", answer("1"))]
    steps = through_batch(mocked, grouped("a", "b"), results)
    assert [step.unit.key for step in steps if getattr(step, "value", None)] == ["b"]


def test_a_batch_taken_up_again_keeps_no_new_mark(mocked: responses.RequestsMock) -> None:
    """It began before this run looked at the counters."""
    steps = through_batch(mocked, grouped("a", resume={"id": "b1", "units": ["a"]}), [result("a", answer("1"))])
    assert [step.unit.scratch for step in steps if getattr(step, "value", None)] == [{}]


@pytest.mark.parametrize("stream", [stream for stream in TAP.streams if stream.parents], ids=lambda s: s.name)
def test_parents_inject_what_paths_and_keys_need(stream: Stream) -> None:
    for parent in stream.parents:
        assert all(f"{{{name}}}" in stream.path for name in parent.keys)
