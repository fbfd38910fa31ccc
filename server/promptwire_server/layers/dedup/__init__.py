"""Dedup: identical calls that are under way at the same time make one call to a provider."""
