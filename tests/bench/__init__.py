"""Benchmarks: ours beside a bare gRPC server, in one run, so that only ratios matter."""
