"""From files as people keep them to a frozen data set: read, audit, split, freeze."""
