"""Tests of the copies of results: where they go, and what becomes of those that cannot get there."""
