"""/v1/classify: text in, label and probabilities out, whatever the model's engine speaks."""
