"""Programs that a project gives roles to: service accounts, and the tokens that they call with."""
