"""Tests of the Python client, against servers of their own over real sockets."""
