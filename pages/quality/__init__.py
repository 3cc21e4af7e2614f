"""Parts of the Quality page: starting a check, its scores, copies and feature map, and the ranking of snapshots."""
