"""A project that is no longer used: kept whole, and opening nothing."""
