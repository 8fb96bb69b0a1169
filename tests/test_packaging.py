"""The wheel, installed away from this checkout: everything travelled along, and the commands work."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, TAPS, tap_of

from shared.command.addresses import SOURCE

VERSION = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
COMMANDS = [package.replace("_", "-") for package in TAPS]
FAST = 2.5
"""So many times as long as the interpreter with no tap may a command take that needs none."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the build backend of this environment, so that nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the dependencies are lent by this one, but not this checkout."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel],
        check=True,
    )
    # A path file lends the packages beside this one's; the path files among them (an editable install's) stay without
    # effect. Written last, so that pip does not take what is lent for installed.
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.check_output(where, text=True).strip())
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(installed / "bin" / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        cwd=installed,
        env=environment,
        check=False,
    )


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"shared", "marketing_taps", *TAPS}
    assert not [name for name in names if name.startswith("shared/testing/")]
    assert {f"{package}/py.typed" for package in ("shared", *TAPS)} <= set(names)


def test_every_tap_has_its_command_and_is_held_by_the_import_contracts() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert set(TAPS) == {path.parent.name for path in ROOT.glob("tap_*/__init__.py")}
    for package in TAPS:
        assert f'{package.replace("_", "-")} = "{package}.__main__:main"' in project
        assert re.search(rf'^root_packages = .*"{package}"', project, re.MULTILINE)
        assert re.search(rf'^    ".*\b{package}\b.*",$', project, re.MULTILINE)


def test_one_version_everywhere() -> None:
    assert VERSION is not None
    assert {tap_of(package).version for package in TAPS} == {VERSION[1]}


def test_shared_and_every_tap_come_from_the_same_place(installed: Path) -> None:
    code = f"import shared, {', '.join(TAPS)}; print(*[m.__file__ for m in (shared, {', '.join(TAPS)})])"
    found = run(installed, "python", "-c", code)
    assert found.returncode == 0, found.stderr
    places = {Path(file).parent.parent for file in found.stdout.split()}
    assert len(places) == 1
    assert installed in next(iter(places)).parents


@pytest.mark.parametrize("package", TAPS)
def test_the_schemas_travelled_along(installed: Path, package: str) -> None:
    found = run(installed, package.replace("_", "-"), "--discover")
    assert found.returncode == 0, found.stderr
    streams = {entry["tap_stream_id"] for entry in json.loads(found.stdout)["streams"]}
    assert streams == {stream.name for stream in tap_of(package).streams if not stream.hidden}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_sandbox_travelled_along(installed: Path, command: str) -> None:
    found = run(installed, command, "--sandbox", "scale=0.1")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert json.loads(lines[-1])["type"] == "STATE"
    assert any(json.loads(line)["type"] == "RECORD" for line in lines)


def test_a_folder_of_the_users_called_shared_is_no_hindrance(installed: Path, tmp_path: Path) -> None:
    """Neither before ours in the path, nor where the command is started, nor for programs of the user's own."""
    foreign = tmp_path / "shared"
    (foreign / "command").mkdir(parents=True)
    (foreign / "__init__.py").write_text("OWNER = 'the user'\n")
    (foreign / "command" / "__init__.py").write_text("raise RuntimeError('the user’s')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def said(*arguments: str) -> str:
        program, *rest = arguments
        done = subprocess.run(
            [str(installed / "bin" / program), *rest], capture_output=True, text=True, cwd=tmp_path, env=environment,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    for command in COMMANDS:
        assert json.loads(said(command, "--discover"))["streams"]
        assert json.loads(said("python", "-m", command.replace("-", "_"), "--about", "--format", "json"))["settings"]
    assert '"STATE"' in said(COMMANDS[0], "--sandbox", "scale=0.1")
    (tmp_path / "a.json").write_text('{"bookmarks": {}}')
    assert json.loads(said("marketing-taps", "merge-state", "a.json"))
    assert said("python", "-c", "import shared; print(shared.OWNER)") == "the user\n"


def test_the_distribution_lists_its_taps(installed: Path) -> None:
    assert VERSION is not None
    found = run(installed, "marketing-taps")
    assert [line.split()[:2] for line in found.stdout.splitlines()] == [[command, VERSION[1]] for command in COMMANDS]


def test_the_readme_of_a_package_index_has_no_relative_link(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        headers, _, text = archive.read(name).decode().partition("\n\n")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) >= len(TAPS)
    assert [link for link in links if not link.startswith(("https://", "http://", "#"))] == []
    for path in re.findall(r"/(?:blob|raw)/main/([^)#\s]+)", text):
        assert (ROOT / path).exists(), path
    for label in ("Documentation", "Source", "Issues", "Changelog"):
        assert f"Project-URL: {label}, https://" in headers


def test_the_address_that_help_names_is_the_projects() -> None:
    assert f'Source = "{SOURCE}"' in (ROOT / "pyproject.toml").read_text()


def seconds(installed: Path, *command: str) -> float:
    """The processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run(installed, *command).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


@pytest.mark.parametrize("option", ["--version", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_version_and_help_answer_at_once(installed: Path, command: str, option: str) -> None:
    run(installed, command, option)  # writes the byte code
    # The least of several: what else a machine does at the time, as other tests here, only ever adds.
    taken, bare = [], []
    for _ in range(7):
        bare.append(seconds(installed, "python", "-c", "import argparse, typing, importlib"))
        taken.append(seconds(installed, command, option))
    assert min(taken) < FAST * min(bare), f"{min(taken):.3f} s of processor time, a bare interpreter {min(bare):.3f} s"
