"""Quantiles of demand to come."""
