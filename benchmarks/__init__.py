"""One script per claim of speed: prints a table with ratios measured in one run, and writes JSON."""
