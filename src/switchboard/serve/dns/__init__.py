"""The DNS server: questions as packets, answers from the zones or from other servers, over UDP and TCP."""
