"""What processes say of themselves: metrics, lines of log, traces."""
