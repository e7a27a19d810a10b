"""Migrations of the database: each leaves it such that the previous release can still work with it."""
