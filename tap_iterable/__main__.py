"""The `tap-iterable` command, also as `python -m tap_iterable`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-iterable` command."""
    start("tap_iterable", title="Iterable")


if __name__ == "__main__":
    main()
