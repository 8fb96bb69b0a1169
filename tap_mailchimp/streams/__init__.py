"""What can be read from Mailchimp: the API's table of contents, a module a subject.

Facts without a date are from the published contract 3.0.55 and its successors up to 3.0.91 (2026); those dated 2026-06
were observed on a live account. What may surprise, over all of the table:

- `count` defaults to 10, and a request that forgets it loses data without a word. It is sent everywhere, also where the
  contract does not list it: `tag-search` obeys it all the same (2026-06), and others ignore it.
- `since_*` is exclusive, `before_*` inclusive, both compared in whole seconds (2026-06).
- Every object carries `_links`, a third to a half of all bytes: excluded, at every depth where the contract has them.
- Nothing says when a list, a campaign or a report was last changed, so most streams are read whole: few pages each.
"""

from __future__ import annotations

from .account import ACCOUNT_STREAMS
from .audiences import AUDIENCE_STREAMS
from .campaigns import CAMPAIGN_STREAMS
from .content import CONTENT_STREAMS
from .ecommerce import ECOMMERCE_STREAMS
from .members import MEMBER_STREAMS
from .reporting import REPORTING_STREAMS
from .reports import REPORT_STREAMS

STREAMS = (
    *AUDIENCE_STREAMS,
    *MEMBER_STREAMS,
    *CAMPAIGN_STREAMS,
    *REPORT_STREAMS,
    *ECOMMERCE_STREAMS,
    *CONTENT_STREAMS,
    *REPORTING_STREAMS,
    *ACCOUNT_STREAMS,
)
