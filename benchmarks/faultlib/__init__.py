"""What `benchmarks/faults.py` does to a sweep, and how it judges what is left.

The product is a black box here: commands in processes of their own, a store as a tree of files, and the numbers that a
reader gets. Linux only: processes are forked, suspended and looked up, small disks are mounted.
"""
