"""Wrappers around a Handler, one concern a module; app.py stacks them."""
