"""`python -m tap_mailchimp.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import MailchimpSandbox

raise SystemExit(serve(MailchimpSandbox))
