"""Publish a Kubernetes Service, and see and prove every hop from the outside user to the Pod."""

__version__ = "0.1.0"
