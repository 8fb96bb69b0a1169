"""The account in the sandbox: every resource made from the seed, the scale and the day alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from shared.sandbox import Row, Table, salt

from .kinds import KINDS_OF_ROWS, filled
from .people import BEGIN, CHANNELS, DAY, NOW, TIED, ZONE, People, Resource, short_id, stamp


class Account(People):
    """All resources of one day."""

    @cached_property
    def _by_id(self) -> dict[tuple[str, str], Resource]:
        made = {("profile", each["id"]): each for each in self.profiles}
        made |= {("metric", each["id"]): each for each in self.metrics}
        for stream, kind in (
            ("tags", "tag"),
            ("flow_actions", "flow-action"),
            ("catalog_variants", "catalog-variant"),
        ):
            for each in self.table(stream, {}).column("_self"):
                made[kind, each["id"]] = each
        return made

    def find(self, link: Mapping[str, str]) -> Resource | None:
        """What a link points to."""
        kind, identifier = link["type"], link["id"]
        if kind == "campaign-message":
            return self.message(identifier)
        if kind == "campaign-variation":
            return self._variation(identifier)
        if kind == "attribution":
            return attribution(identifier)
        return self._by_id.get((kind, identifier))

    # Everything else

    def table(self, stream: str, args: Mapping[str, str]) -> Table:
        """The resources of a collection; KeyError when its parent does not exist."""
        key = (stream, *sorted(args.items()))
        if key not in self._tables:
            rows = self._rows(stream, args)
            table = Table(len(rows), rows.__getitem__, {"_self": rows})
            self._tables[key] = table
        return self._tables[key]

    def _rows(self, stream: str, args: Mapping[str, str]) -> list[Resource]:
        if stream == "profiles":
            return self.profiles
        if stream == "metrics":
            return self.metrics
        made: Callable[[Mapping[str, str]], list[Resource]] | None = getattr(self, f"_{stream}", None)
        return made(args) if made else list(self.generic(stream))

    def generic(self, stream: str, under: str = "", base: int | None = None) -> Iterator[Resource]:
        """Resources with invented attributes: on each day one is new, one changed, one gone."""
        kind, count = KINDS_OF_ROWS[stream]
        count = (self.count(count) or 1) if base is None else base
        for number in range(count + (self.day if count > 1 else 0)):
            chance = self.chance(stream, under, number)
            touched = number if number >= count else None
            if self.day and count > 3 and number < self.day:
                continue  # gone
            for day in range(1, self.day + 1):
                if count > 3 and number == count - day:
                    touched = count + day - 1
            moved = chance % (NOW - 900 - BEGIN) + BEGIN
            if touched is not None:
                moved = NOW + (touched - count) * DAY + 4000
            yield {
                "type": kind,
                "id": short_id(self.seed, stream, under, number),
                "attributes": filled(stream, chance if touched is None else chance + 1, stamp(moved), number),
                "relationships": {},
                "_number": number,
            }

    def _tags_of(self, chance: int) -> Row:
        tags = self.table("tags", {}).column("_self")
        return {"data": [{"type": "tag", "id": each["id"]} for each in tags[: chance % 3]]}

    def _with_tags(self, stream: str) -> list[Resource]:
        made = list(self.generic(stream))
        for each in made:
            each["relationships"]["tags"] = self._tags_of(self.chance("tags", stream, each["_number"]))
        return made

    def _templates(self, args: Mapping[str, str]) -> list[Resource]:
        made = list(self.generic("templates"))
        for each in made:
            each["_more"] = {"definition": each["attributes"].pop("definition")}
        return made

    def _lists(self, args: Mapping[str, str]) -> list[Resource]:
        return self._with_tags("lists")

    def _segments(self, args: Mapping[str, str]) -> list[Resource]:
        return self._with_tags("segments")

    def _flows(self, args: Mapping[str, str]) -> list[Resource]:
        made = self._with_tags("flows")
        for each in made:
            each["attributes"]["archived"] = each["_number"] % 4 == 3
            actions = [action["id"] for action in self._actions(each)]
            each["relationships"]["flow-actions"] = {"data": [{"type": "flow-action", "id": name} for name in actions]}
        return made

    def _actions(self, flow: Resource) -> list[Resource]:
        made = []
        for number, kind in enumerate(("send-email", "time-delay", "send-sms")[: 1 + self.chance(flow["id"]) % 3]):
            data = {"status": "live", "delay": 3} if kind != "time-delay" else None
            made.append(
                {
                    "type": "flow-action",
                    "id": str(self.chance("action", flow["id"], number) % 10**8),
                    "attributes": {
                        "created": stamp(BEGIN),
                        "updated": flow["attributes"]["updated"],
                        "definition": {"id": str(number), "type": kind, "links": {"next": None}, "data": data},
                    },
                    "relationships": {"flow": {"data": {"type": "flow", "id": flow["id"]}}, "flow-messages": {}},
                }
            )
        return made

    def _flow_actions(self, args: Mapping[str, str]) -> list[Resource]:
        return [action for flow in self.table("flows", {}).column("_self") for action in self._actions(flow)]

    def _flow_messages(self, args: Mapping[str, str]) -> list[Resource]:
        action = self._by_id["flow-action", args["flow_action_id"]]
        made = list(self.generic("flow_messages", action["attributes"]["updated"] + action["id"], base=1))[:1]
        for each in made:
            each["relationships"] = {
                "flow-action": {"data": {"type": "flow-action", "id": action["id"]}},
                "template": {},  # links only; the definition has it
            }
            each["attributes"]["definition"] = {"template_id": short_id(each["id"]), "subject_line": "Été ☀"}
        return made

    def _campaigns(self, args: Mapping[str, str]) -> list[Resource]:
        made = self._with_tags("campaigns")
        for each in made:
            number = each["_number"]
            chance = self.chance("campaign", number)
            each["id"] = f"01GM{chance % 10**8:08d}{number:06d}"
            channels = [CHANNELS[number % 3], *(["sms"] if number % 7 == 0 else [])]
            each["attributes"]["archived"] = number % 5 == 1
            each["attributes"]["status"] = "Draft" if number % 4 == 0 else "Sent"
            each["attributes"]["send_time"] = None if number % 4 == 0 else each["attributes"]["updated_at"]
            links = [
                {"type": "campaign-message", "id": f"{each['id']}.{n}.{channel}"} for n, channel in enumerate(channels)
            ]
            each["relationships"]["campaign-messages"] = {"data": links}
            each["_filter"] = {"messages.channel": channels}
        return made

    def message(self, identifier: str) -> Resource:
        """The message of a campaign: its id says which one it belongs to."""
        campaign, _, channel = identifier.split(".")
        row = next(each for each in self.table("campaigns", {}).column("_self") if each["id"] == campaign)
        definition: Row = {
            "channel": channel,
            "content": {"body": f"Hi {row['attributes']['name']}", "media_url": None},
        }
        if channel == "email":
            definition = {"channel": channel, "label": "A", "content": {"subject": "Été ☀", "cc_email": None}}
        if channel == "sms":
            definition["render_options"] = {"shorten_links": True, "add_org_prefix": False}
        return {
            "type": "campaign-message",
            "id": identifier,
            "attributes": {
                "definition": definition,
                "send_times": None if channel == "sms" else [{"datetime": stamp(BEGIN), "is_local": False}],
                "created_at": stamp(BEGIN),
                "updated_at": row["attributes"]["updated_at"],
            },
            "relationships": {
                "campaign": {"data": {"type": "campaign", "id": campaign}},
                "template": {"data": {"type": "template", "id": short_id(identifier)} if channel == "email" else None},
                "image": {"data": None},
            },
        }

    def _messages_of_campaigns(self, args: Mapping[str, str]) -> list[Resource]:
        """The messages of all campaigns as the revision 2026-10-15 has them: their content stands in variations."""
        made = []
        for campaign in self.table("campaigns", {}).column("_self"):
            for link in campaign["relationships"]["campaign-messages"]["data"]:
                times = {"created": stamp(BEGIN), "updated": campaign["attributes"]["updated_at"]}
                names = [f"{link['id']}.{letter}" for letter in "ab"[: 1 + campaign["_number"] % 2]]
                variations = [{"type": "campaign-variation", "id": name} for name in names]
                definition = {"name": f"Mail of {campaign['_number']}", "status": "sent", "ab_test": None}
                made.append(
                    {
                        "type": "campaign-message",
                        "id": link["id"],
                        "attributes": {**times, "definition": definition},
                        "relationships": {
                            "campaign": {"data": {"type": "campaign", "id": campaign["id"]}},
                            "campaign-variations": {"data": variations},
                        },
                    }
                )
        return made

    @staticmethod
    def _variation(identifier: str) -> Resource:
        """A message's variation, which does not tell of which one it is."""
        channel = identifier.split(".")[2]
        details: Row = {"channel": channel, "template_id": short_id(identifier) if channel == "email" else None}
        definition = {"name": f"Variation {identifier[-1]}", "details": details if channel != "mobile_push" else None}
        return {
            "type": "campaign-variation",
            "id": identifier,
            "attributes": {"created": stamp(BEGIN), "updated": stamp(BEGIN + 60), "definition": definition},
            "relationships": {"campaign-message": {}, "translation": {}, "image": {}},
        }

    def _campaign_messages(self, args: Mapping[str, str]) -> list[Resource]:
        rows = {each["id"]: each for each in self.table("campaigns", {}).column("_self")}
        links = rows[args["campaign_id"]]["relationships"]["campaign-messages"]["data"]
        return [self.message(link["id"]) for link in links]

    def _members(self, stream: str, identifier: str) -> list[Resource]:
        if all(each["id"] != identifier for each in self.table(stream, {}).column("_self")):
            raise KeyError(identifier)
        made = []
        for profile in self.profiles:
            chance = self.chance(stream, identifier, profile["id"])
            if chance % 4 == 0 or (self.day and chance % 97 == self.day):
                joined = BEGIN + chance % (NOW - 900 - BEGIN) // TIED * TIED
                if chance % 4:
                    joined = NOW + (self.day - 1) * DAY + 2000
                made.append({**profile, "attributes": {**profile["attributes"], "joined_group_at": stamp(joined)}})
        return made

    def _list_profiles(self, args: Mapping[str, str]) -> list[Resource]:
        return self._members("lists", args["list_id"])

    def _segment_profiles(self, args: Mapping[str, str]) -> list[Resource]:
        return self._members("segments", args["segment_id"])

    def _linked(self, stream: str, relation: str, kind: str, targets: Sequence[str]) -> list[Resource]:
        made = list(self.generic(stream))
        for number, each in enumerate(made):
            target = targets[number % len(targets)]
            each["relationships"][relation] = {"data": {"type": kind, "id": target}}
            each["_filter"] = {f"{relation}.id": target}
        return made

    def _ids(self, stream: str) -> list[str]:
        return [each["id"] for each in self.table(stream, {}).column("_self")]

    def _tags(self, args: Mapping[str, str]) -> list[Resource]:
        return self._linked("tags", "tag-group", "tag-group", self._ids("tag_groups"))

    def _catalog_items(self, args: Mapping[str, str]) -> list[Resource]:
        made = list(self.generic("catalog_items"))
        variants = [{"type": "catalog-variant", "id": each["id"]} for each in self.generic("catalog_variants")]
        for place, each in enumerate(made):
            each["relationships"]["variants"] = {"data": variants[place :: len(made)]}
        return made

    def _catalog_variants(self, args: Mapping[str, str]) -> list[Resource]:
        return self._linked("catalog_variants", "item", "catalog-item", self._ids("catalog_items"))

    def _catalog_category_items(self, args: Mapping[str, str]) -> list[Resource]:
        place = self._ids("catalog_categories").index(args["category_id"])
        return [
            {"type": "catalog-item", "id": name, "attributes": {}, "relationships": {}}
            for name in self._ids("catalog_items")[place::3]
        ]

    def _coupon_codes(self, args: Mapping[str, str]) -> list[Resource]:
        made = self._linked("coupon_codes", "coupon", "coupon", self._ids("coupons"))
        for number, each in enumerate(made):
            data = {"data": {"type": "profile", "id": self.profile_id(number)}} if number % 3 else {}
            each["relationships"]["profile"] = data  # links only where it is nobody's
        return made

    def _form_versions(self, args: Mapping[str, str]) -> list[Resource]:
        if args["form_id"] not in self._ids("forms"):
            raise KeyError(args["form_id"])
        made = list(self.generic("form_versions", args["form_id"], base=2))
        for each in made:
            each["relationships"]["form"] = {"data": {"type": "form", "id": args["form_id"]}}
        return made

    def _metric_properties(self, args: Mapping[str, str]) -> list[Resource]:
        if all(each["id"] != args["metric_id"] for each in self.metrics):
            raise KeyError(args["metric_id"])
        return list(self.generic("metric_properties", args["metric_id"], base=3))

    def _accounts(self, args: Mapping[str, str]) -> list[Resource]:
        made = list(self.generic("accounts"))
        made[0]["attributes"]["timezone"] = ZONE.key
        return made

    def _object_records(self, args: Mapping[str, str]) -> list[Resource]:
        if args["object_type_id"] not in self._ids("object_types"):
            raise KeyError(args["object_type_id"])
        return list(self.generic("object_records", args["object_type_id"], base=12))

    def _push_tokens(self, args: Mapping[str, str]) -> list[Resource]:
        made = self._linked("push_tokens", "profile", "profile", [self.profile_id(n) for n in range(9)])
        for each in made:
            each["attributes"]["token"] = f"secret-{each['id']}"
        return made

    def _reviews(self, args: Mapping[str, str]) -> list[Resource]:
        return self._linked("reviews", "item", "catalog-item", self._ids("catalog_items"))

    def _mapped_metrics(self, args: Mapping[str, str]) -> list[Resource]:
        made = []
        for number, name in enumerate(("revenue", "added_to_cart", "viewed_product")):
            metric = {"type": "metric", "id": self.metrics[20 + number]["id"]} if number != 1 else None
            made.append(
                {
                    "type": "mapped-metric",
                    "id": name,
                    "attributes": {"updated": stamp(BEGIN)},
                    "relationships": {"metric": {"data": metric}, "custom-metric": {"data": None}},
                }
            )
        return made

    def _webhooks(self, args: Mapping[str, str]) -> list[Resource]:
        made = list(self.generic("webhooks"))
        for each in made:
            each["relationships"]["webhook-topics"] = {
                "data": [{"type": "webhook-topic", "id": "event:klaviyo.sent_sms"}]
            }
        return made


def attribution(event: str) -> Resource:
    """What an event is attributed to: it has the event's own id, and says all by its relations."""
    chance = salt(11, event)
    flow = {
        "flow": {"data": {"type": "flow", "id": short_id(event, "flow")}},
        "flow-message": {"data": {"type": "flow-message", "id": short_id(event, "flow message")}},
        "flow-message-variation": {"data": None},
    }
    campaign = {
        "campaign": {"data": {"type": "campaign", "id": f"01GM{chance % 10**8}"}},
        "campaign-message": {"data": {"type": "campaign-message", "id": short_id(event, "message")}},
        "flow": {},
    }
    relations = {
        "event": {"data": {"type": "event", "id": event}},
        "attributed-event": {"data": {"type": "event", "id": short_id(event, "before")}},
        **(flow if chance % 2 else campaign),
    }
    return {"type": "attribution", "id": event, "attributes": {}, "relationships": relations}
