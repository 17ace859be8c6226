"""Circuits: formats, analysis, fingerprint, and the sandbox in which users' circuits are read."""
