"""Passes over Projects, ModelRoutes and AcceleratorClasses: observe, plan, apply, and one status write."""
