"""`python -m tap_klaviyo.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import KlaviyoSandbox

raise SystemExit(serve(KlaviyoSandbox))
