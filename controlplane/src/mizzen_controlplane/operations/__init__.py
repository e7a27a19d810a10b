"""Long work with progress: a row that one replica at a time works on, that survives crashes and can be cancelled."""
