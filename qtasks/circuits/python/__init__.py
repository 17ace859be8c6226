"""Circuits as Python source: read by its syntax tree, run in a sandbox child, its circuit found."""
