"""Where circuits run: one protocol, and a member per provider."""
