"""The `tap-customerio` command, also as `python -m tap_customerio`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-customerio` command."""
    start("tap_customerio", title="Customer.io")


if __name__ == "__main__":
    main()
