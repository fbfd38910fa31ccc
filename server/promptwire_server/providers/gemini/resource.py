"""Names of models as resources: "models/gemini-…", as they stand in paths and bodies."""

from urllib.parse import quote

_COLLECTIONS = ("models", "tunedModels")


def resource_of(model: str) -> str:
    """The resource that a model's name means, e.g. "models/gemini-2.5-flash" for "gemini-2.5-flash"."""
    collection, slash, _ = model.partition("/")
    return model if slash and collection in _COLLECTIONS else f"models/{model}"


def path_of(model: str, method: str) -> str:
    """The path of a method of this model. The name is the caller's: quoted, so that it cannot leave its place in the path."""
    collection, _, name = resource_of(model).partition("/")
    return f"/{collection}/{quote(name, safe='')}:{method}"


def name_of(resource: str) -> str:
    """What a caller writes for a resource: its collection is left out where it is the usual one."""
    return resource.removeprefix("models/")
