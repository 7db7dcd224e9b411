"""Shipped to users who test their workflows."""
