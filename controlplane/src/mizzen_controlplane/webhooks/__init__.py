"""Webhooks: what others are told of, by signed HTTP requests and by e-mail, at least once each."""
