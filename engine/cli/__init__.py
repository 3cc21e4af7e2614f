"""The command line: `python -m engine --help`. Thin; every command calls what the pages call."""
