"""Tests of what answers: echo, script, the dialects and the way to their vendors."""
