"""Identical questions under way."""
