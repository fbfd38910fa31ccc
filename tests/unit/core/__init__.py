"""Tests of the vocabulary that everything else is written in."""
