"""Admission: who is worked for now, who waits, who is sent away."""
