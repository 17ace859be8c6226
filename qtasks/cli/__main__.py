"""`python -m qtasks.cli`, for processes that start others without looking for a script."""

from qtasks.cli import main

main()
