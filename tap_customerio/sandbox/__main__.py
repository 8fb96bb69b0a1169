"""`python -m tap_customerio.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import CustomerioSandbox

raise SystemExit(serve(CustomerioSandbox))
