"""Secrets that are kept elsewhere: fetched before the server starts, and read anew while it runs."""
