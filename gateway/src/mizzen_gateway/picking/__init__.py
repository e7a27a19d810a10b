"""Endpoint pickers of the Gateway API Inference Extension: another program chooses the endpoint."""
