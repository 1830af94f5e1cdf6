"""sockets.py - what tests ask of sockets on this machine."""
import random
import socket

_claimed = []


def answers(path):
    """Whether a program serves at a unix stream socket. Its file is there from bind(), and connections are refused until
    listen(): a file that exists is not yet a server."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def free_port():
    """A port of loopback that stays ours while this process lives, also between a server's end and its start again: the
    kernel gives none below 32768 to a connection, and an abstract socket of its name keeps other tests off it."""
    while True:
        port = random.randrange(10000, 32768)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0casemate-test-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claimed.append(claim)
        return port
