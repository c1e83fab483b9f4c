"""Market-data connectors; the only importers of data vendors' libraries."""
