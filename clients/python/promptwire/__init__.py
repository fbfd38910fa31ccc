"""Promptwire: typed chat and prompt chains over gRPC."""
