"""Unusual stretches in streams of load, latency and errors, found while they happen."""
