"""Feeds that keep the gateway current: access from the control plane, objects from the store."""
