"""Bytes to messages and back: gRPC over HTTP/2 without I/O, protobuf to model.

Imports errors and model. Read grpc.py first.
"""
