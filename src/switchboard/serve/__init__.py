"""Sockets only: stand-in pods, control socket, port forwarding."""
