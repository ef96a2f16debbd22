"""Patches as functions from a document and a patch to a document: RFC 6902, RFC 7386 and strategic merge patch."""
