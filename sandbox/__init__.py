"""The embedded clouds: AWS by moto, Kubernetes by real API servers, Google Cloud written down."""
