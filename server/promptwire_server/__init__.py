"""Promptwire: one gRPC service through which every program of a company asks language models and runs prompt chains."""
