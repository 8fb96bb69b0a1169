"""`python -m tap_campaign_monitor.sandbox --port 8080` serves the API in miniature."""

from shared.sandbox import serve

from . import CampaignMonitorSandbox

raise SystemExit(serve(CampaignMonitorSandbox))
