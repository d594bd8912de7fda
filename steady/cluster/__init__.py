"""A grid of experiments on a Slurm cluster or on this machine: each in a clone of its own, over one DVC cache."""
