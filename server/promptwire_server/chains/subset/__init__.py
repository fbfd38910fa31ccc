"""The language of templates and expressions: a checked subset of Jinja, compiled to closures over plain data."""
