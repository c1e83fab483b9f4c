"""Storage: the journal, its schema and migrations, the home and its lock, the bar store."""
