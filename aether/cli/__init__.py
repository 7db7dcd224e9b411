"""The aether command. Imports sdk and server, lazily. Read main.py first."""
