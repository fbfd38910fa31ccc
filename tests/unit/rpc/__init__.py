"""Tests of the gRPC edge, by a real server on a free port and a real client."""
