"""The SLURM cluster of a home: its settings, its scheduler, and what it says of the jobs of a run."""
