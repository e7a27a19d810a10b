"""How many replicas and how much traffic each revision gets now: pure functions of what is observed and of the time."""
