"""State on disk: the home, run folders, hashes, atomic writes, locks and the SQLite index."""
