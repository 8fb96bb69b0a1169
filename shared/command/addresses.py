"""Where the project and its pages are read."""

SOURCE = "https://github.com/marketing-taps/marketing-taps"


def page_of(name: str) -> str:
    """Where the tap's page is read."""
    return f"{SOURCE}/blob/main/docs/{name}.md"
