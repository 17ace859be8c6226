"""A circuit as a picture: read from Qiskit's circuit, laid out in columns, drawn by a template as SVG."""
