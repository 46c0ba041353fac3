"""Live board, statistics, settings, audit, exports."""
