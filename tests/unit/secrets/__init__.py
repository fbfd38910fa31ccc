"""Tests of secrets that are kept elsewhere."""
