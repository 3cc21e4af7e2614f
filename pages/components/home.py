"""The home that the pages show."""

from engine.store.home import Home


def home() -> Home:
    """The home of this server: `ERSATZ_HOME`, else `checkpoints/`."""
    return Home.from_environment()
