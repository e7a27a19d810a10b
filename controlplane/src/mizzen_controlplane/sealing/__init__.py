"""Under which key the stored secrets of an installation are sealed, and how that key is changed."""
