"""`python -m tap_iterable.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import IterableSandbox

raise SystemExit(serve(IterableSandbox))
