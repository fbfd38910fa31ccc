"""One suite a need, for every technology that state can be kept in."""
