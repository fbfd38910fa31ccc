"""Load: every source in its order, then the checks, then Settings or all faults at once.

What comes later wins: vendors' variables where nothing is written, the file, the directory of secrets, PROMPTWIRE_ variables, flags.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from promptwire_server.config.check import CHECKS
from promptwire_server.config.complete import Completion
from promptwire_server.config.credentials import add_usual_variables
from promptwire_server.config.environment import CONFIG, PREFIX, Variable, from_directory, from_environment, judge_strays
from promptwire_server.config.explain import faults_of
from promptwire_server.config.fault import ConfigError, Fault
from promptwire_server.config.file import read_file
from promptwire_server.config.model import File
from promptwire_server.config.schema import key_paths
from promptwire_server.config.settings import Origin, Settings
from promptwire_server.config.tree import Raw, Tree
from promptwire_server.config.vendors import Vendor, add_vendors, variable_names


def load(
    path: str | None, environ: Mapping[str, str], overrides: Mapping[str, Raw] | None = None, *, vendors: Sequence[Vendor] = ()
) -> Settings:
    """The settings of the file at `path` (or of $PROMPTWIRE_CONFIG, or of no file), the environment and the overrides.

    `overrides` are the values of flags by dotted key path, e.g. {"server.listen": "127.0.0.1:0"}. Raises ConfigError with every fault.
    """
    found = path or environ.get(CONFIG)
    file = Path(found).expanduser() if found else None
    tree = read_file(file, environ) if file else Tree()
    notices = _add_sources(tree, environ, overrides or {}, vendors)
    valid, broken = _validated(tree)
    for needs, check in CHECKS:
        if needs.isdisjoint(broken):
            tree.faults += [Fault(at, message, tree.origin(at)) for at, message in check(valid)]
    settings = Completion(valid, tree, vendors, environ).settings(file, notices, broken)
    if tree.faults:
        raise ConfigError(sorted(tree.faults, key=lambda fault: fault.origin.line if fault.origin else 0))
    return settings


def _add_sources(tree: Tree, environ: Mapping[str, str], overrides: Mapping[str, Raw], vendors: Sequence[Vendor]) -> list[str]:
    variables, strays = from_environment(environ, File.model_fields, tree)
    flags = [Variable(tuple(key.split(".")), value, Origin("flag", key)) for key, value in overrides.items()]
    secrets: dict[str, str] = {}
    later = {variable.path: variable.value for variable in (*variables, *flags)}
    directory = later.get(("secrets_dir",), tree.get(("secrets_dir",)))
    files: list[Variable] = []
    if isinstance(directory, str):
        files, secrets = from_directory(Path(directory), variable_names(vendors), tree)
    for variable in (*files, *variables, *flags):
        tree.put(variable.path, variable.value, variable.origin)
    known = [PREFIX + "__".join(key).upper() for key in key_paths()] if strays else []
    notices = [*judge_strays(strays, known, tree), *add_vendors(tree, vendors, environ, secrets)]
    add_usual_variables(tree, environ)
    return notices


def _validated(tree: Tree) -> tuple[File, set[str]]:
    """The file, with the defaults of its sections where they are broken, and which those are. Faults go to the tree."""
    try:
        return File.model_validate(tree.values), set()
    except ValidationError as error:
        found = faults_of(error, tree)
    told = {fault.path for fault in tree.faults}
    tree.faults += [fault for fault in found if fault.path not in told]
    # What is good of a bad file is judged further, so that its other faults are found too.
    for fault in found:
        if fault.harmless:
            tree.drop(fault.path)
    broken = {fault.path[0] for fault in found if not fault.harmless}
    return File.model_validate({key: value for key, value in tree.values.items() if key not in broken}), broken
