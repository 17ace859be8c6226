"""Autoscaling, simulated from a load that was recorded: what a policy makes jobs wait, costs in pods, and interrupts.

`python -m bench.autoscaling record FILE` runs a real queue under load and writes down what its metrics said;
`python -m bench.autoscaling draw FILE PICTURE` simulates policies on it.
"""
