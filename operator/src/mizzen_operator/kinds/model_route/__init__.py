"""ModelRoute: from the object and what it names to what gateways may follow, and what is wrong with it."""
