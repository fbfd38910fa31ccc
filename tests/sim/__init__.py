"""The simulator: the server's own layers in virtual time, between simulated vendors and simulated callers."""
