"""The way into every command of this distribution: sees to it that `shared` is the one installed beside this file.

A folder of the user's may be called `shared` too, and stand before ours in the path of modules.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NoReturn

FOLDER = Path(__file__).resolve().parents[1]


def start(package: str, *, title: str, oauth: bool = False) -> NoReturn:
    """Run the tap that `package` holds; ends the process. `title`: the platform's name; `oauth`: it has --authorize."""
    own_shared()
    from shared.command.start import start

    start(package, title=title, oauth=oauth)


def own_shared() -> None:
    """Make `shared` the package of this distribution, for the whole process. The path of modules stays as it is."""
    home = FOLDER / "shared"
    loaded = sys.modules.get("shared")
    if loaded is not None and str(home) in map(str, getattr(loaded, "__path__", ())):
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "shared"]:
        del sys.modules[name]
    spec = spec_from_file_location("shared", home / "__init__.py", submodule_search_locations=[str(home)])
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["shared"] = module_from_spec(spec)
    spec.loader.exec_module(module)
