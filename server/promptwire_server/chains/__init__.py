"""Chains of prompts: templates, expressions, and the engine that runs the steps."""
