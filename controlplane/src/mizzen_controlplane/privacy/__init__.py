"""What becomes of people's data."""
