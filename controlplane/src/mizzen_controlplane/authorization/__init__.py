"""Who may do what, and where: roles, their bindings, and the one decision that all routes go by."""
