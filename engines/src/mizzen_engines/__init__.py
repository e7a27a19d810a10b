"""What runs inside engine pods: fetch and verify weights, lay out a Triton repository, simulate an engine."""
