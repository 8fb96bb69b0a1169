"""The `tap-mailchimp` command, also as `python -m tap_mailchimp`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-mailchimp` command."""
    start("tap_mailchimp", title="Mailchimp", oauth=True)


if __name__ == "__main__":
    main()
