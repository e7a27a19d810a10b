"""What every domain of the control plane is built from."""
