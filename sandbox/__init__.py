"""The embedded clouds: AWS by moto, Kubernetes by real API servers, Google Cloud as a notebook."""
