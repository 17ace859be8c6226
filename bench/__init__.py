"""The benchmarks: `python -m bench [NAME…] [--quick] [--cpu] [--write FILE]`.

Each runs in one go on one machine beside its peer, a round of one and a round of the other in turn, so that the ratio
means something where the figures of a shared machine do not. Nothing is kept from one round to the next.
"""
