"""Weights from a registry, an object store or the web into the model folder: resumed, verified, whole or not at all."""
