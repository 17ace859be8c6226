"""What running a job costs."""
