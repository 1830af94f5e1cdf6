"""unix_socket.py - whether a program serves at a unix stream socket.

Its file is there from bind(), and connections are refused until listen(): a file that exists is not yet a server.
"""
import socket


def answers(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
