"""What the gateway says of its own API: OpenAPI 3.1, made of the tables that requests are held to."""
