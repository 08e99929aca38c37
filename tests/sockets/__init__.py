"""Tests of `libcurl.sockets`."""
