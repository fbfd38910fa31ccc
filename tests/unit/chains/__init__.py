"""Tests of templates, expressions and chains."""
