"""Equations for people: notations write syntax trees, printers lay them out."""
