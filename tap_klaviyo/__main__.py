"""The `tap-klaviyo` command, also as `python -m tap_klaviyo`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-klaviyo` command."""
    start("tap_klaviyo", title="Klaviyo", oauth=True)


if __name__ == "__main__":
    main()
