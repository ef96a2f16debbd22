"""Typed rule languages: validate, render, parse."""
