"""Makes the README that a package index shows: README.md, its links to files of this project as whole addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(!?)\[((?:!\[[^]]*\]\([^)]*\)|[^][])*)\]\((?![a-z]+:|#)([^)]+)\)")


def absolute(text: str, source: str) -> str:
    """`text` with its relative links and images as addresses below `source`, the project's repository."""

    def whole(link: re.Match[str]) -> str:
        mark, label, target = link.groups()
        view = "raw" if mark else "blob"
        return f"{mark}[{absolute(label, source)}]({source}/{view}/main/{target})"

    return _RELATIVE.sub(whole, text)


class CustomMetadataHook(MetadataHookInterface):
    """The build backend's name for it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the README."""
        text = Path(self.root, "README.md").read_text("utf-8")
        text = absolute(text, metadata["urls"]["Source"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
