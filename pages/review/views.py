"""The names of the views of the Review page."""

from __future__ import annotations

QUIZ, RESULTS, DECIDE, COMMENTS = "Real or fake", "Results", "Accept or reject", "Comments"
