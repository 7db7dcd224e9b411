"""`aether top`: the terminal dashboard. It uses only the public client."""
