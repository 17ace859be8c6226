"""The parts of `tests.support.ibm_server`: devices, jobs, running them, accounts, faults and routes."""
