"""What the doctor tries: each part of an installation, for real, from this machine."""
