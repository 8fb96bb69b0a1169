"""Makes a tap: a copy of `skeleton` under its own name, and the places where the project speaks of each tap.

What is made keeps the contract as it stands; its author then changes it into the API that it is to read.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SKELETON = Path(__file__).with_name("skeleton")


class Occupied(Exception):
    """There is no room for such a tap."""


def made(root: Path, name: str, title: str | None = None) -> list[Path]:
    """The files that were made or changed for a new tap in the checkout at `root`."""
    package = name.replace("-", "_")
    if not re.fullmatch(r"tap(-[a-z][a-z0-9]*)+", name):
        raise Occupied(f"{name!r} is no name for a tap: write tap-x, in lower case.")
    if not (root / "pyproject.toml").exists():
        raise Occupied(f"{root} is no checkout of the project.")
    if (root / package).exists():
        raise Occupied(f"{root / package} is there already.")
    title = title or name.removeprefix("tap-").replace("-", " ").title()
    files = [*_copied(root, package, title), *_registered(root, package, title)]
    generated = {
        "shared.command.about": [f"docs/{name}.md"],
        "shared.command.plugins": [
            f"plugins/extractors/{name}.yml",
            f"examples/meltano/plugins/extractors/{name}--marketing-taps.lock",
        ],
    }
    for module, paths in generated.items():
        subprocess.run([sys.executable, "-m", module, *paths], check=True, cwd=root)
    return [*files, *(root / path for path in generated["shared.command.plugins"])]


def _copied(root: Path, package: str, title: str) -> list[Path]:
    """The package and its page, from the skeleton."""
    name = package.replace("_", "-")
    words = {
        "tap_skeleton": package,
        "tap-skeleton": name,
        "SkeletonSandbox": f"{''.join(part.title() for part in name.split('-')[1:])}Sandbox",
        "skeleton-sandbox": f"{name.removeprefix('tap-')}-sandbox",
        "Skeleton": title,
    }
    files = []
    for source in sorted(SKELETON.rglob("*")):
        if source.is_file() and source.suffix in (".py", ".json", ".md"):
            page = source.name == "docs.md"
            target = root / "docs" / f"{name}.md" if page else root / package / source.relative_to(SKELETON)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text("utf-8")
            target.write_text(re.sub("|".join(words), lambda match: words[match[0]], text), "utf-8")
            files.append(target)
    return files


def _registered(root: Path, package: str, title: str) -> list[Path]:
    """The files in which every tap is named."""
    name = package.replace("_", "-")

    def project(text: str) -> str:
        text = _inserted(text, r"tap-[\w-]+ = .*", f'{name} = "{package}.__main__:main"')
        for opening, between, closing in (
            ('root_packages = ["shared", "', '", "', '"]'),
            ('    "', " | ", '",\n    "sh'),
        ):
            listed = re.search(f"(?<={re.escape(opening)})tap_[^\n]*?(?={re.escape(closing)})", text)
            assert listed, opening
            taps = sorted([*listed[0].split(between), package])
            text = text[: listed.start()] + between.join(taps) + text[listed.end() :]
        return text

    def readme(text: str) -> str:
        return _inserted(text, r"\| \[`tap-.*", f"| [`{name}`](docs/{name}.md) | {title} API | API key |")

    def changelog(text: str) -> str:
        return text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n- `{name}`: a new tap, for {title}.\n", 1)

    def meltano(text: str) -> str:
        lines = (f"  - name: {name}", "    variant: marketing-taps", "    pip_url: -e ../..")
        return text.replace("  loaders:\n", "\n".join([*lines, "  loaders:", ""]), 1)

    changes: dict[str, Callable[[str], str]] = {
        "pyproject.toml": project,
        "README.md": readme,
        "CHANGELOG.md": changelog,
        "examples/meltano/meltano.yml": meltano,
    }
    for path, changed in changes.items():
        before = (root / path).read_text("utf-8")
        after = changed(before)
        assert after != before, path
        (root / path).write_text(after, "utf-8")
    return [root / path for path in changes]


def _inserted(text: str, pattern: str, line: str) -> str:
    """`text` with a line behind the last one that the pattern matches."""
    *_, last = re.finditer(f"^{pattern}\n", text, re.MULTILINE)
    return text[: last.end()] + line + "\n" + text[last.end() :]
