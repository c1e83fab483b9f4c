"""Brokers behind one port; the only importers of brokers' libraries."""
