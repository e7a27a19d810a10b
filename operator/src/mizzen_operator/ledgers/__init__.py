"""What is remembered between two passes and may be lost: load that gateways reported, and how starts came along."""
