"""What only revision 2026-10-15 has, which is asked for by a header of these streams alone, whichever the settings say.

Facts are from the vendor's client of that revision.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .defaults import page
from .fieldsets import fields
from .jsonapi import collection
from .variations import NEWEST as HEADERS
from .variations import VARIATIONS, read

newest = partial(collection, headers=HEADERS, selected=False)

NEWEST = (
    replace(VARIATIONS, fetch=read),
    newest(
        name="billing_usage",
        description="How much of what the plan allows was used in the current period",
        sparse=fields("billing-usage", "billing_usage"),
        path="/api/billing-usage",
        quota="M billing usage",
        key_properties=("id", "period_start"),  # a row for each period, as they pass
    ),
    newest(
        name="text_messaging_senders",
        description="Numbers that text messages are sent from",
        sparse=fields("text-messaging-sender", "text_messaging_senders"),
        path="/api/text-messaging-senders",
        quota="S text messaging senders",
        params=page(20),
    ),
    newest(
        name="brand_colors",
        description="Groups of colors of the brand",
        sparse=fields("brand-color", "brand_colors"),
        path="/api/brand-colors",
        quota="M brand colors",
    ),
    newest(
        name="brand_logos",
        description="Logos of the brand",
        sparse=fields("brand-logo", "brand_logos"),
        path="/api/brand-logos",
        quota="M brand logos",
    ),
    newest(
        name="brand_buttons",
        description="Buttons of the brand",
        sparse=fields("brand-button", "brand_buttons"),
        path="/api/brand-buttons",
        quota="M brand buttons",
    ),
    newest(
        name="brand_social_groups",
        description="Groups of links to the brand's social media",
        sparse=fields("brand-social-group", "brand_social_groups"),
        path="/api/brand-social-groups",
        quota="M brand social groups",
    ),
)
