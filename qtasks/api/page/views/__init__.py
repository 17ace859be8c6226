"""What the page shows, worked out from documents: plain values in and out, nothing read or written."""
