"""The sandbox's metrics: what its account has events of."""

from __future__ import annotations

# name on day 0, name from day 1 on, integration, events at scale 1
METRICS: tuple[tuple[str, str, str, int], ...] = (
    ("Received Email", "Received Email", "Klaviyo", 420),
    ("Opened Email", "Opened Email", "Klaviyo", 260),
    ("Clicked Email", "Clicked Email", "Klaviyo", 90),
    ("Bounced Email", "Bounced Email", "Klaviyo", 30),
    ("Dropped Email", "Dropped Email", "Klaviyo", 12),
    ("Marked Email as Spam", "Marked Email as Spam", "Klaviyo", 8),
    ("Unsubscribed from Email Marketing", "Unsubscribed from Email Marketing", "Klaviyo", 20),
    ("Subscribed to List", "Subscribed to List", "Klaviyo", 60),
    ("Unsubscribed from List", "Unsubscribed from List", "Klaviyo", 15),
    (" updated  email PREFERENCES ", " updated  email PREFERENCES ", "Klaviyo", 10),
    ("Clicked SMS", "Clicked Text Message", "Klaviyo", 25),  # renamed in place
    ("Consented to Receive SMS", "Subscribed to Text Messaging Marketing", "Klaviyo", 18),
    ("Subscribed to SMS Marketing", "Subscribed to SMS Marketing", "Klaviyo", 7),  # two feed one stream
    ("Failed to Deliver SMS", "Failed to Deliver Text Message", "Klaviyo", 9),
    ("Received Automated Response SMS", "Received Automated Response Text Message", "Klaviyo", 6),
    ("Received SMS", "Received Text Message", "Klaviyo", 50),
    ("Sent SMS", "Sent Text Message", "Klaviyo", 22),
    ("Unsubscribed from SMS", "Unsubscribed from Text Messaging Marketing", "Klaviyo", 5),
    ("Subscribed to Email Marketing", "Subscribed to Email Marketing", "Klaviyo", 30),
    ("Clicked SMS", "Clicked SMS", "Postscript", 11),  # another integration's metric of the same name
    ("Placed Order", "Placed Order", "Shopify", 80),
    ("Placed Order", "Placed Order", "WooCommerce", 14),
    ("Viewed Product", "Viewed Product", "API", 70),
    ("Merged Profile", "Merged Profile", "Klaviyo", 9),
    ("", "Failed to Deliver Automated Response Text Message", "Klaviyo", 0),  # comes with its first event, on day 1
)
FUTURE = ("Viewed Product", "Received Email")
"""Metrics of which some event is dated far ahead."""
