"""The `tap-campaign-monitor` command, also as `python -m tap_campaign_monitor`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-campaign-monitor` command."""
    start("tap_campaign_monitor", title="Campaign Monitor", oauth=True)


if __name__ == "__main__":
    main()
