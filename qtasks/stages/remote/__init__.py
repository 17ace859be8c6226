"""Jobs that run at a provider: parked under an account, handed over once, visited, collected."""
