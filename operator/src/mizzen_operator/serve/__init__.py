"""What does the operator answer? Progress of starts, load from gateways, metrics and probes."""
