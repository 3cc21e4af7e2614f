"""What the panel of the machine says, and how far its bars are filled."""

from __future__ import annotations

from pages.components.machine import Machine, Use


def test_a_bar_fills_with_what_its_words_say() -> None:
    gib = 2**30
    now = Machine("CPU", "", memory_used=3 * gib, memory_total=12 * gib, disk_free=30 * gib, disk_total=120 * gib)
    assert (now.memory.share, now.memory.words) == (0.25, "3.0 GiB of 12.0 GiB in use")
    assert (now.disk.share, now.disk.words) == (0.75, "90.0 GiB of 120.0 GiB in use")
    assert Use(0, 0).share == 0.0
