"""Parts of the Evaluate page: planning a sweep and reading one."""
