"""Write promptwire/<package>/__init__.py: every message, enum and constant of a contract package under one name, for readers and editors."""

import importlib
import pathlib
import sys

HEADER = '"""Messages and enums of {package}, generated from protos/ by `make gen`. Services are in the *_pb2_grpc modules."""\n\n'


def exported(module_name: str) -> list[str]:
    """Names that a generated module defines at its top: messages, enums and the values of its enums."""
    file = importlib.import_module(module_name).DESCRIPTOR
    values = [value for enum in file.enum_types_by_name.values() for value in enum.values_by_name]
    return sorted([*file.message_types_by_name, *file.enum_types_by_name, *values])


def facade(root: pathlib.Path, package: str) -> str:
    """Source of the package's __init__.py."""
    folder = root.joinpath(*package.split("."))
    modules = [f"{package}.{path.stem}" for path in sorted(folder.glob("*_pb2.py"))]
    names = {module: exported(module) for module in modules}
    imports = [f"from {module} import (\n" + "".join(f"    {n} as {n},\n" for n in names[module]) + ")\n" for module in modules if names[module]]
    return HEADER.format(package=package) + "".join(imports)


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    sys.path.insert(0, str(root))
    for package in ("promptwire.v1", "promptwire.admin.v1"):
        folder = root.joinpath(*package.split("."))
        if folder.is_dir():
            folder.joinpath("__init__.py").write_text(facade(root, package))
