"""Judging: pure functions from recorded evidence to findings. Nothing here touches network, clock or disk."""
