"""The way in: a tap made by the command, a stream added by CONTRIBUTING.md's own words, in a copy of this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT

from shared.testing.scaffold import Occupied, made

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
COPIED = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs",
    "examples",
    "marketing_taps",
    "plugins",
    "pyproject.toml",
    "shared",
    "tests",
    *(path.name for path in ROOT.glob("tap_*")),
)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout with a tap of its own, of two streams."""
    copy = tmp_path_factory.mktemp("way-in") / "checkout"
    copy.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".meltano"))
        else:
            shutil.copy(ROOT / name, copy / name)
    done = run(copy, "-m", "shared.testing", "new", "tap-x", "--title", "X")
    assert {copy / line for line in done.stdout.splitlines()} == changed(copy)
    add_stream(copy)
    # As `make docs` does, for this tap alone.
    definitions = [str(path.relative_to(copy)) for path in copy.rglob("extractors/tap-x*")]
    run(copy, "-m", "shared.command.about", "docs/tap-x.md")
    run(copy, "-m", "shared.command.plugins", *definitions)
    return copy


def changed(copy: Path) -> set[Path]:
    """The files of the copy that differ from this checkout."""
    files = {path for path in copy.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    same = {path for path in files if (ROOT / path.relative_to(copy)).is_file()}
    return files - {path for path in same if path.read_bytes() == (ROOT / path.relative_to(copy)).read_bytes()}


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # the copy is run some forty times
    environment = {**kept, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def steps() -> dict[str, str]:
    """What CONTRIBUTING.md has its reader write into which file."""
    section = CONTRIBUTING[CONTRIBUTING.index("## Add a stream") : CONTRIBUTING.index("## Add a tap")]
    found = re.findall(r"^\d\. \*\*`([^`]+)`\*\*.*?^ {3}```\w+\n(.*?)^ {3}```$", section, re.MULTILINE | re.DOTALL)
    return {path: re.sub("^ {3}", "", text, flags=re.MULTILINE) for path, text in found}


def add_stream(copy: Path) -> None:
    """Do what the steps say, and nothing else."""
    written = steps()
    (copy / "tap_x/schemas/groups.json").write_text(written["tap_x/schemas/groups.json"])
    put(copy / "tap_x/streams.py", before="\n)\n", text="\n" + written["tap_x/streams.py"].rstrip("\n"))
    put(
        copy / "tap_x/sandbox/facts.json",
        before="\n  }\n}\n",
        text=",\n" + written["tap_x/sandbox/facts.json"].rstrip("\n"),
    )
    put(copy / "CHANGELOG.md", before="\n## [0.1.0]", text=textwrap.dedent(written["CHANGELOG.md"]))


def put(path: Path, *, before: str, text: str) -> None:
    content = path.read_text("utf-8")
    at = content.rindex(before)
    path.write_text(content[:at] + text + content[at:], "utf-8")


def test_a_stream_takes_at_most_four_files() -> None:
    assert set(steps()) == {
        "tap_x/schemas/groups.json",
        "tap_x/streams.py",
        "tap_x/sandbox/facts.json",
        "CHANGELOG.md",
    }


def test_a_tap_that_was_made_keeps_the_contract_with_a_stream_that_was_added(checkout: Path) -> None:
    done = contract(checkout)
    assert re.search(r"^14 passed", done.stdout, re.MULTILINE), done.stdout


def test_a_stream_by_itself_has_to_keep_every_promise(checkout: Path) -> None:
    found = contract(checkout, "--stream", "items", "--collect-only").stdout
    promises = {name for name in vars(import_module("shared.testing.contract")) if name.startswith("test_")}
    assert set(re.findall(r"::(test_\w+)", found)) == promises


def contract(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["-n", "0", "-q", "-p", "no:cacheprovider", "-k", "tap_x", *arguments]
    return run(checkout, "-m", "pytest", "tests/test_contract.py", *options)


def test_what_was_made_is_what_every_tap_has_to_be(checkout: Path) -> None:
    tests = [f"tests/test_{name}.py" for name in ("about", "cli", "plugins", "packaging")]
    chosen = "tap-x.yml or tap-x-- or contracts or (tap_x and (points_to or tables or diagram or heavy))"
    done = run(checkout, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *tests, "-k", chosen)
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), done.stdout


def test_what_was_made_passes_the_linters_and_the_type_checker(checkout: Path) -> None:
    files = ["tap_x", "shared/testing"]
    run(checkout, "-m", "ruff", "check", "--no-cache", *files)
    run(checkout, "-m", "ruff", "format", "--check", "--no-cache", *files)
    run(checkout, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "tap_x")
    contracts = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    run(checkout, "-c", contracts)


def test_a_name_that_is_none_or_taken_is_refused(tmp_path: Path) -> None:
    for name in ("brevo", "tap-", "tap-Brevo", "tap_brevo", "tap-x y"):
        with pytest.raises(Occupied, match="no name for a tap"):
            made(ROOT, name)
    with pytest.raises(Occupied, match="there already"):
        made(ROOT, "tap-klaviyo")
    with pytest.raises(Occupied, match="no checkout"):
        made(tmp_path, "tap-x")


def test_the_authors_surface_is_what_the_import_contracts_leave_open() -> None:
    """The modules that CONTRIBUTING.md names are all of `shared` but those that taps may not import."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^protected_modules = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert listed is not None
    protected = set(re.findall(r'"([\w.]+)"', listed[1]))
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "shared").rglob("*.py")]
    modules = {".".join(path.parts) for path in files if path.name != "__init__"}
    told = set(re.findall(r"`(shared\.[\w.]+)`", CONTRIBUTING[CONTRIBUTING.index("### What taps are written with") :]))
    packages = ("shared.sandbox", "shared.testing")
    assert told - {"shared.sandbox"} == {name for name in modules - protected if not name.startswith(packages)}
    assert protected - {"shared.testing"} <= modules


def test_the_modules_that_the_architecture_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"\b((?:api|protocol|records|sync)/\w+)", text))
    assert len(named) > 12
    assert [name for name in sorted(named) if not (ROOT / "shared" / f"{name}.py").is_file()] == []


def test_the_architecture_names_every_layer() -> None:
    project, text = ((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "docs/architecture.md"))
    (layers,) = re.findall(r"^exhaustive = true\nlayers = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert [
        name for name in re.findall(r"\w+", layers) if not re.search(rf"^\|.*`{name}`.*\|.*\|$", text, re.MULTILINE)
    ] == []
