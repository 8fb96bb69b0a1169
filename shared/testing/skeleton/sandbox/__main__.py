"""`python -m tap_skeleton.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import SkeletonSandbox

raise SystemExit(serve(SkeletonSandbox))
