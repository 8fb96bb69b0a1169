"""The `tap-skeleton` command, also as `python -m tap_skeleton`."""

from marketing_taps import start


def main() -> None:
    """Entry point of the `tap-skeleton` command."""
    start("tap_skeleton", title="Skeleton")


if __name__ == "__main__":
    main()
