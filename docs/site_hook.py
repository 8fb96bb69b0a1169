"""Makes the site's pages of those that lie outside docs/: README.md is its first one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add them."""
    from mkdocs.structure.files import File

    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: Any, files: Files) -> str:
    """Links of the repository as links of the site; what the site has not is shown where the project lies."""
    outside = {page: name for name, page in OUTSIDE.items()}
    folder = ROOT if page.file.src_uri in outside else ROOT / "docs"

    def changed(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        path = (folder / target).resolve().relative_to(ROOT).as_posix()
        inside = OUTSIDE.get(path) or path.removeprefix("docs/")
        if files.get_file_from_path(inside) is not None:
            return f"]({inside}{anchor})"
        return f"]({config['repo_url']}/blob/main/{path}{anchor})"

    return _LINK.sub(changed, markdown)
