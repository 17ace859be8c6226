"""The whole of a production installation as local processes."""
