"""Configuration: one YAML file, the environment and secret files become frozen settings; all faults at once, each with its key path."""
