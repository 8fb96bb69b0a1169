"""What a faultless read of the sandbox gives: the records of every stream, worked out without the tap's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from shared.sandbox import Drift, Refusal, Row, Sandbox, Table, salt
from shared.sandbox.truth import digest, record
from shared.timestamps import instant, parse

from . import aggregates, reports
from .account import Account
from .endpoints import BY_STREAM
from .people import REASONS, START_DATE, ZONE, Resource
from .query import Endpoint
from .truth import KINDS, flattened

DRIFT_FROM_ROWS = 20
"""Shorter collections stay as they are under `drift`, lest all of six lists be gone."""
EVENTS: Mapping[str, tuple[str, ...]] = {
    "receive": ("received email",),
    "click": ("clicked email",),
    "open": ("opened email",),
    "bounce": ("bounced email",),
    "dropped_email": ("dropped email",),
    "mark_as_spam": ("marked email as spam",),
    "unsubscribe": ("unsubscribed", "unsubscribed from email marketing"),
    "subscribe_list": ("subscribed to list",),
    "unsub_list": ("unsubscribed from list",),
    "update_email_preferences": ("updated email preferences",),
    "clicked_sms": ("clicked sms", "clicked text message"),
    "consented_to_receive": (
        "consented to receive sms",
        "subscribed to sms marketing",
        "subscribed to text messaging marketing",
    ),
    "failed_to_deliver": ("failed to deliver sms", "failed to deliver text message"),
    "failed_to_deliver_automated_response": (
        "failed to deliver automated response sms",
        "failed to deliver automated response text message",
    ),
    "received_automated_response": (
        "received automated response sms",
        "received automated response text message",
    ),
    "received_sms": ("received sms", "received text message"),
    "sent_sms": ("sent sms", "sent text message"),
    "unsubscribed_from_sms": (
        "unsubscribed from sms",
        "unsubscribed from sms marketing",
        "unsubscribed from text messaging marketing",
    ),
    "subscribed_to_email": ("subscribed to email marketing",),
    "subscribed_to_text_message_transactional": ("subscribed to text messaging transactional",),
    "unsubscribed_from_text_message_transactional": ("unsubscribed from text messaging transactional",),
}
"""Which metrics of Klaviyo's own each stream of events reads, in lower case."""

LINKED = {
    "events": ("profile", "metric"), "campaigns": ("campaign-messages",),
    "campaign_messages": ("campaign", "template", "image"), "coupon_codes": ("coupon", "profile"),
    "tags": ("tag-group",),
    "messages_of_campaigns": ("campaign",), "flow_messages": ("flow-action", "template"), "form_versions": ("form",),
    "reviews": ("item",),
}  # fmt: skip
"""Stream → relations whose linkage is always there."""


class Recorded(Sandbox):
    """A sandbox with an account, and what should be read of it."""

    account: Account
    _drifts: dict[Any, Drift]

    def table(self, endpoint: Endpoint, args: Mapping[str, str]) -> Table:
        """A collection's rows; Refusal when the parent is not there."""
        try:
            table = self.account.table(endpoint.stream, args)
        except (KeyError, ValueError, StopIteration):
            raise Refusal(404, "A resource with that id does not exist.") from None
        if self.options["drift"] and table.count >= DRIFT_FROM_ROWS and endpoint.stream != "metrics":
            key = (endpoint.stream, *map(str, args.values()))
            if key not in self._drifts:
                self._drifts[key] = Drift(table, salt(self.options["seed"], *key))
            table.drift = self._drifts[key]
        return table

    def is_visible(self, table: Table, number: int) -> bool:
        """Whether a row is there now."""
        return table.drift is None or table.drift.visible(number)

    def as_read(self, stream: str) -> frozenset[str]:
        """Events come with their profile and their metric, flows with their tags, as they are today."""
        if stream in EVENTS or stream == "events":
            return frozenset(("profile", "profile_id", "metric", "metric_name", "_extra"))
        if stream in ("event_attributions", "merged_profiles"):
            return frozenset(("profile_id", "surviving_profile_id"))
        return frozenset(("tags", "tag_ids") if stream == "flows" else ())

    def changed_since(self, day: int, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """Events are new or they are not: that their metric was renamed, or their profile changed, does not count."""
        if stream not in (*EVENTS, "events", "event_attributions", "merged_profiles"):
            return super().changed_since(day, stream, settings)
        name = "event_id" if stream == "event_attributions" else "id"
        before = {record[name] for record in self.at_day(day).truth(stream, settings)}
        return [record for record in self.truth(stream, settings) if record[name] not in before]

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """What a faultless read gives."""
        if stream in EVENTS or stream == "events":
            yield from self._event_records(stream, settings)
            return
        if stream in _FROM_EVENTS:
            yield from self._from_events(stream, settings)
            return
        if stream == "campaign_variations":
            yield from self._variations(stayed=stayed)
            return
        if stream in _PAIRS or stream == "list_suppressions":
            pairs = self._tag_pairs(stream, settings, stayed=stayed)
            for pair in pairs if stream in _PAIRS else self._excluded(stayed=stayed):
                yield record(KINDS[stream], pair)
            return
        if stream == "metric_aggregates":
            yield from self._aggregate_records(settings)
            return
        if stream in reports.BY_STREAM:
            yield from self._report_records(stream, settings)
            return
        start = instant(settings.get("start_date") or START_DATE) or ""
        for beside, extra in self._resources(stream, settings, stayed=stayed):
            row = {**flattened(extra, beside), **self._added(stream, extra, settings)}
            made = record(KINDS[stream], row)
            if stream in _MEMBERS:
                made = {name: made[name] for name in made if name not in _MEMBERS[stream]}
            if stream == "profiles" and not settings.get("undated_profiles") and made["updated"] is None:
                continue  # no filter finds it
            if stream == "profiles" and made["updated"] is not None and made["updated"] < start:
                continue
            if settings.get("seed_keys") and stream == "global_exclusions" and made["email"] is None:
                continue
            yield made

    def _event_records(self, stream: str, settings: Mapping[str, Any]) -> Iterator[Row]:
        account = self.account
        start = parse(str(settings.get("start_date") or START_DATE)).timestamp()
        end = self.clock.now().timestamp()
        if settings.get("end_date"):
            end = parse(str(settings["end_date"])).timestamp()
        if settings.get("include_future_events"):
            end = 2**40
        for second, at, number in account.all_times:
            metric = account.metrics[at] if at >= 0 else None
            if not start <= second < end or (stream != "events" and (metric is None or not _feeds(metric, stream))):
                continue
            event = account.event(metric, second, number)
            link = event["relationships"].get("profile", {}).get("data")
            found = account.find(link) if link else None
            row = flattened(event, {"profile": [found] if found else [], "metric": [metric] if metric else []})
            row["profile"] = [{k: v for k, v in each.items() if not k.startswith("_")} for each in row["profile"]]
            row["metric_name"] = metric["attributes"]["name"] if metric else None
            row["attributions"] = self._attributions(event)
            yield record(KINDS["events"], row)

    def _attributions(self, event: Resource) -> list[Row]:
        """What an event is attributed to, by the relations of the resources beside it."""
        found = [self.account.find(link) for link in event["relationships"]["attributions"]["data"]]
        return [
            {
                column: (each["relationships"].get(relation, {}).get("data") or {}).get("id")
                for column, relation in _ATTRIBUTED.items()
            }
            for each in found
            if each is not None
        ]

    def _from_events(self, stream: str, settings: Mapping[str, Any]) -> Iterator[Row]:
        """Attributions as rows, or merges of profiles, out of the events."""
        for event in self._event_records("events", settings):
            if stream == "event_attributions":
                own = {name: event[name] for name in ("datetime", "metric_id", "profile_id")}
                for position, each in enumerate(event["attributions"]):
                    row = {"event_id": event["id"], "position": position, **own, **each}
                    yield record(KINDS[stream], row)
            elif event["metric_name"] == "Merged Profile":
                told = event["event_properties"] or {}
                parts = [*str(told.get("$event_id") or "::").split(":"), None, None]
                gone, surviving = parts[1] or None, event["profile_id"] or parts[2] or None
                row = {"id": event["id"], "gone_profile_id": gone, "surviving_profile_id": surviving}
                yield record(KINDS[stream], {**row, "datetime": event["datetime"]})

    def _variations(self, *, stayed: bool) -> Iterator[Row]:
        """What each message of a campaign is made of."""
        for _, message in self._rows("messages_of_campaigns", stayed=stayed):
            for link in message["relationships"]["campaign-variations"]["data"]:
                found = self.account.find(link)
                assert found is not None
                definition, said = found["attributes"]["definition"], message["attributes"]["definition"]
                details = definition["details"] or {}
                row = {
                    **flattened(found, {}),
                    "campaign_id": message["relationships"]["campaign"]["data"]["id"],
                    "campaign_message_id": message["id"],
                    "message_name": said["name"],
                    "message_status": said["status"],
                    "name": definition["name"],
                    "channel": details.get("channel"),
                    "template_id": details.get("template_id"),
                }
                yield record(KINDS["campaign_variations"], row)

    def _tag_pairs(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """Which resource has which tag."""
        for _, resource in self._resources(_PAIRS[stream], settings, stayed=stayed):
            for link in resource["relationships"]["tags"]["data"]:
                tag = self.account.find(link)
                name = tag["attributes"]["name"] if tag else None
                yield {f"{resource['type']}_id": resource["id"], "tag_id": link["id"], "tag_name": name}

    def _excluded(self, *, stayed: bool) -> Iterator[Row]:
        """Who gets no e-mail of which list."""
        lists = {row["id"] for _, row in self._rows("lists", stayed=stayed)}
        for _, profile in self._rows("profiles", stayed=stayed):
            for each in profile["_more"]["subscriptions"]["email"]["marketing"]["list_suppressions"]:
                if each["list_id"] in lists:
                    yield {**each, "profile_id": profile["id"], "email": profile["attributes"]["email"]}

    def _report_records(self, stream: str, settings: Mapping[str, Any]) -> Iterator[Row]:
        """One plain report of a kind. Its key is whatever tells rows apart."""
        report = reports.BY_STREAM[stream]
        today = self.clock.now().astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        frame = {
            "end": (today - timedelta(days=1)).isoformat(),
            "start": (today - timedelta(days=int(settings.get("report_lookback_days") or 7))).isoformat(),
        }
        text = f'{{"end":"{frame["end"]}","start":"{frame["start"]}"}}'
        asked = {"statistics": list(report.facts["statistics"]), "timeframe": frame}
        found = list(reports.results(self.account, report, asked))
        metric = self.account.metrics[20]["id"] if report.of in ("campaign", "flow") else None
        constants: Row = {"report": "default", "timeframe": text, "conversion_metric_id": metric}
        for row in reports.flat(report, asked, found):
            groups = {name: row[name] for name in row if name in report.groups}
            own = constants if metric else {name: constants[name] for name in ("report", "timeframe")}
            parts = {**own, **groups}
            if report.series:
                parts["date_time"] = row["date_time"]
                del parts["timeframe"]
            yield record(KINDS[stream], {"row_id": digest(parts), **own, **row})

    def _aggregate_records(self, settings: Mapping[str, Any]) -> Iterator[Row]:
        """The plain query: what counts as revenue, by day."""
        today = self.clock.now().astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        start = today - timedelta(days=int(settings.get("report_lookback_days") or 7))
        own: Row = {"report": "default", "metric_id": self.account.metrics[20]["id"], "interval": "day"}
        bounds = [f"greater-or-equal(datetime,{start.isoformat()})", f"less-than(datetime,{today.isoformat()})"]
        asked = {**own, "measurements": aggregates.MEASUREMENTS, "filter": bounds, "timezone": ZONE.key}
        dates, groups = aggregates.counted(self.account, asked)
        for _, measured in groups:
            for place, date in enumerate(dates):
                parts = {**own, "dimensions": {}, "date_time": date}
                numbers = {name: values[place] for name, values in measured.items()}
                yield record(
                    KINDS["metric_aggregates"], {"row_id": digest(parts), **parts, **numbers, "timezone": ZONE.key}
                )

    def _added(self, stream: str, resource: Resource, settings: Mapping[str, Any]) -> Row:
        """Columns that the tap adds."""
        more: Row = resource.get("_more", {})
        if stream == "lists" and settings.get("list_profile_count"):
            return {"profile_count": self.account.table("list_profiles", {"list_id": resource["id"]}).count}
        if stream == "templates" and settings.get("template_definition"):
            return {"definition": more["definition"]}
        if stream == "flow_messages":
            return {"template_id": resource["attributes"]["definition"]["template_id"]}
        if stream == "profiles":
            return {"subscriptions": more["subscriptions"]}
        if stream == "global_exclusions":
            suppressions = more["subscriptions"]["email"]["marketing"]["suppression"]
            latest = max(suppressions, key=lambda each: each["timestamp"])
            return {**latest, "suppressions": suppressions, "subscriptions": more["subscriptions"]}
        return {}

    def _resources(
        self, stream: str, settings: Mapping[str, Any], *, stayed: bool
    ) -> Iterator[tuple[dict[str, list[Resource]], Resource]]:
        """Each resource of a stream, with those beside it."""
        if stream == "flow_actions":
            yield from (({}, each) for each in self.account.table(stream, {}).column("_self"))
            return
        source = "profiles" if stream == "global_exclusions" else stream
        for args, resource in self._rows(source, stayed=stayed):
            made = dict(resource)
            beside: dict[str, list[Resource]] = {}
            relations = dict(made["relationships"])
            if stream == "global_exclusions" and not set(made["_filter"][_REASON]) & set(REASONS):
                continue
            if stream in _MEMBERS:
                attributes = {
                    **args,
                    "profile_id": made["id"],
                    "joined_group_at": made["attributes"]["joined_group_at"],
                }
                yield {}, {"type": None, "id": None, "attributes": attributes}
                continue
            if stream == "catalog_category_items":
                yield {}, {"type": made["type"], "id": None, "attributes": {**args, "item_id": made["id"]}}
                continue
            if stream in _EMBEDDED:
                for name in _EMBEDDED[stream]:
                    links = relations[name]["data"]
                    beside[name] = [each for link in links if (each := self.account.find(link))]
            shown = {*LINKED.get(stream, ()), *_EMBEDDED.get(stream, ()), *_ASKED.get(stream, ())}
            made["relationships"] = {name: part for name, part in relations.items() if name in shown}
            if stream == "campaigns":
                wanted = settings.get("campaign_channels") or ("email", "sms", "mobile_push")
                channels = made["_filter"][_CHANNEL]
                if not set(channels) & set(wanted):
                    continue
                made["attributes"] = {**made["attributes"], "channel": channels[0]}
            if stream == "push_tokens":  # asked for field by field, without the token
                unasked = ("token", "not_yet_known")
                made["attributes"] = {k: v for k, v in made["attributes"].items() if k not in unasked}
            if stream in ("object_records", "metric_properties"):
                made["attributes"] = {**made["attributes"], **args}
            yield beside, made

    def _rows(self, stream: str, *, stayed: bool) -> Iterator[tuple[Row, Resource]]:
        if stream == "catalog_variants":  # which are told of by their items
            for args, item in self._rows("catalog_items", stayed=stayed):
                for link in item["relationships"]["variants"]["data"]:
                    variant = self.account.find(link)
                    assert variant is not None
                    yield args, variant
            return
        endpoint = BY_STREAM[stream]
        for args in self._parents(endpoint, stayed=stayed):
            try:
                table = self.table(endpoint, args)
            except Refusal:
                continue
            for number in range(table.count):
                drift = table.drift
                if drift is None or (drift.stayed(number) if stayed else drift.visible(number)):
                    yield args, table.row(number)

    def _parents(self, endpoint: Endpoint, *, stayed: bool) -> Iterator[Row]:
        if endpoint.parent is None:
            yield {}
            return
        stream, name = endpoint.parent
        if stream == "flow_actions":
            for each in self.account.table(stream, {}).column("_self"):
                if each["attributes"]["definition"]["type"].startswith("send-"):
                    yield {name: each["id"]}
            return
        for _, row in self._rows(stream, stayed=stayed):
            yield {name: row["id"]}


_FROM_EVENTS = ("event_attributions", "merged_profiles")
_PAIRS = {f"{kind}_tags": f"{kind}s" for kind in ("campaign", "flow", "list", "segment")}
_ATTRIBUTED = {
    "attributed_event_id": "attributed-event",
    "flow_id": "flow",
    "flow_message_id": "flow-message",
    "flow_message_variation_id": "flow-message-variation",
    "campaign_id": "campaign",
    "campaign_message_id": "campaign-message",
}
"""Column → the relation of an attribution that it comes from."""
_REASON, _CHANNEL = "subscriptions.email.marketing.suppression.reason", "messages.channel"
_EMBEDDED: Mapping[str, tuple[str, ...]] = {
    "campaigns": ("tags", "campaign-messages"), "lists": ("tags",), "segments": ("tags",), "flows": ("tags",),
}  # fmt: skip
_MEMBERS = dict.fromkeys(
    ("list_profiles", "segment_profiles"), ("email", "phone_number", "external_id", "first_name", "last_name")
)
"""Stream → columns that are not selected by default."""
_ASKED: Mapping[str, tuple[str, ...]] = {
    "tags": ("tag-group",), "mapped_metrics": ("metric", "custom-metric"), "webhooks": ("webhook-topics",),
    "campaign_messages": ("template", "image"), "push_tokens": ("profile",), "catalog_variants": ("item",),
}  # fmt: skip


def _feeds(metric: Resource, stream: str) -> bool:
    attributes = metric["attributes"]
    name = " ".join(attributes["name"].lower().split())
    return attributes["integration"]["name"] == "Klaviyo" and name in EVENTS[stream]
