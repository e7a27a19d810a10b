"""The Open Inference Protocol over gRPC: what HTTP's /v2 does, in other bytes."""
