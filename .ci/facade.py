"""Write promptwire/<package>/__init__.py: every message, enum and constant of a contract package under one name.

Reads the contract as a FileDescriptorSet from standard input (`buf build -o -`), so that nothing generated need be imported.
"""

import pathlib
import sys

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

HEADER = '"""Messages and enums of {package}, generated from protos/ by `make gen`. Services are in the *_pb2_grpc modules."""\n\n'
PACKAGES = ("promptwire.v1", "promptwire.admin.v1")


def exported(file: FileDescriptorProto) -> list[str]:
    """Names that a generated module defines at its top: messages, enums and the values of its enums."""
    values = [value.name for enum in file.enum_type for value in enum.value]
    return sorted([*(message.name for message in file.message_type), *(enum.name for enum in file.enum_type), *values])


def facade(contract: FileDescriptorSet, package: str) -> str:
    """Source of the package's __init__.py."""
    files = sorted((file for file in contract.file if file.package == package and exported(file)), key=lambda file: file.name)
    return HEADER.format(package=package) + "".join(imports(file) for file in files)


def imports(file: FileDescriptorProto) -> str:
    """The import of everything in a file."""
    module = file.name.removesuffix(".proto").replace("/", ".") + "_pb2"
    lines = "".join(f"    {name} as {name},\n" for name in exported(file))
    return f"from {module} import (\n{lines})\n"


if __name__ == "__main__":
    contract = FileDescriptorSet.FromString(sys.stdin.buffer.read())
    for package in PACKAGES:
        pathlib.Path(sys.argv[1], *package.split("."), "__init__.py").write_text(facade(contract, package))
