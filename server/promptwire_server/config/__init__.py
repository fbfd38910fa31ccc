"""Configuration: one YAML file, the environment and secret files become frozen settings; all faults at once, each with its key path."""

from promptwire_server.config.fault import ConfigError, Fault
from promptwire_server.config.load import load
from promptwire_server.config.schema import json_schema
from promptwire_server.config.settings import Settings
from promptwire_server.config.show import dump

__all__ = ["ConfigError", "Fault", "Settings", "dump", "json_schema", "load"]
