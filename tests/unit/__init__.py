"""Tests of single modules, without network and without waiting."""
