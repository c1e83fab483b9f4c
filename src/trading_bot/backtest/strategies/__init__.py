"""Shipped strategies, one small file each with its `STRATEGY`."""
