"""All tests of Promptwire."""
