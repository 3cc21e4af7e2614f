"""Do synthetic images help? Classifiers, trials, arms, statistics and the verdict."""
