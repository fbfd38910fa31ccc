"""State behind the ports that layers and chains define, one technology a module."""
