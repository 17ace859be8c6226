"""Tests of results, their formats and outputs."""
