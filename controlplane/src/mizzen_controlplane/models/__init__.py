"""Models, versions, aliases, uploads and artifacts."""
