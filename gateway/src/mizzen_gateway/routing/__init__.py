"""From a model's name to the endpoint that answers."""
