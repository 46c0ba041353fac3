"""The database of the queue: SQLite in a file, or PostgreSQL."""
