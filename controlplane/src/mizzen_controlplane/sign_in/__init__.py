"""How people and machines say who they are."""
