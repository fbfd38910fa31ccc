"""Tests against upstreams, stores and clients that misbehave."""
