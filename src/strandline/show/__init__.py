"""Pictures, charts and the report of a run."""
