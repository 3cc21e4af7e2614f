"""How long a run may take to heed a request to stop."""

from __future__ import annotations

import os

STOP_GRACE_SECONDS = 120.0


def stop_grace() -> float:
    """Seconds from the request to stop to SIGTERM; `ERSATZ_STOP_GRACE` changes them."""
    return float(os.environ.get("ERSATZ_STOP_GRACE", STOP_GRACE_SECONDS))
