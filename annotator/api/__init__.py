"""The REST API at `/api/v1/`: the pages' rules, as JSON."""
