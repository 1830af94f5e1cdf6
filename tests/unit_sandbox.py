# tests/unit_sandbox.py -- a program under what its systemd unit forbids, on a machine where systemd does not run.
#
# Of the unit: User, SupplementaryGroups, SystemCallFilter with SystemCallErrorNumber=EPERM, RestrictAddressFamilies,
# MemoryDenyWriteExecute, NoNewPrivileges, UMask, LimitCORE, and /proc as ProtectProc and ProcSubset leave it (proc()).
# What systemd's own filter does is done with the same library, from the same groups of calls.
import ctypes
import os
import re
import resource
import socket
import subprocess

ALLOW, FORBID = 0x7FFF0000, 0x00050000
NOT_EQUAL, EQUAL, MASKED_EQUAL = 1, 4, 7
PROT_WRITE, PROT_EXEC = 2, 4
EPERM, EAFNOSUPPORT = 1, 97
PR_SET_NO_NEW_PRIVS = 38


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def read_unit(*paths):
    """Of a unit and its drop-ins: key -> its values in order; an empty value forgets those before it."""
    unit = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for key, value in re.findall(r"^(\w+)=(.*)$", file.read(), re.M):
                unit[key] = unit.get(key, []) + [value] if value else []
    return unit


def calls_of(group):
    """Names of the system calls of a group, groups in it too."""
    if not group.startswith("@"):
        return {group}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return set().union(*(calls_of(word) for word in words if word and not word.startswith("#")))


def allowed_calls(unit):
    allowed = calls_of("@default")
    for value in unit["SystemCallFilter"]:
        names = set().union(*(calls_of(word) for word in value.lstrip("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


class Filter:
    def __init__(self, unit):
        lib = self.lib = ctypes.CDLL("libseccomp.so.2")
        lib.seccomp_init.restype = ctypes.c_void_p
        lib.seccomp_load.argtypes = [ctypes.c_void_p]
        lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                               ctypes.POINTER(Compare)]
        self.context = lib.seccomp_init(FORBID | EPERM)
        families = {getattr(socket, name) for name in " ".join(unit["RestrictAddressFamilies"]).split()}
        for name in sorted(allowed_calls(unit)):
            if name == "socket":
                for family in range(46): # AF_MAX
                    self.rule(ALLOW if family in families else FORBID | EAFNOSUPPORT, name, (0, EQUAL, family, 0))
            elif name == "mmap" and unit.get("MemoryDenyWriteExecute") == ["yes"]:
                both = PROT_WRITE | PROT_EXEC
                for prot in range(8):
                    if prot & both != both:
                        self.rule(ALLOW, name, (2, MASKED_EQUAL, 7, prot))
            elif name == "mprotect" and unit.get("MemoryDenyWriteExecute") == ["yes"]:
                self.rule(ALLOW, name, (2, MASKED_EQUAL, PROT_EXEC, 0))
            else:
                self.rule(ALLOW, name)

    def rule(self, action, name, *compare):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return # of another architecture
        array = (Compare * len(compare))(*compare)
        if self.lib.seccomp_rule_add_array(self.context, action, number, len(compare), array) != 0:
            raise RuntimeError("no rule for " + name)

    def load(self):
        if ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or self.lib.seccomp_load(self.context) != 0:
            raise RuntimeError("the filter was not taken")


def ids(root, user):
    """(user, group, all groups) by the files of that root."""
    def rows(name):
        with open(f"{root}/etc/{name}", encoding="utf-8") as file:
            return [line.strip().split(":") for line in file]
    uid, gid = next((int(row[2]), int(row[3])) for row in rows("passwd") if row[0] == user)
    return uid, gid, [gid] + [int(row[2]) for row in rows("group") if user in row[3].split(",")]


def groups_of(root, unit):
    """Numbers of the groups that a unit adds; KeyError for one that is not there: systemd would not start it."""
    with open(f"{root}/etc/group", encoding="utf-8") as file:
        numbers = {row[0]: int(row[2]) for row in (line.strip().split(":") for line in file)}
    return [numbers[name] for value in unit.get("SupplementaryGroups", []) for name in value.split()]


def start(root, unit_paths, *command, environment=(), **how):
    """The command in that root, as the user of the unit (with its drop-ins) and under what the unit forbids."""
    unit = read_unit(*unit_paths)
    uid, gid, groups = ids(root, unit["User"][-1])
    groups += groups_of(root, unit)
    calls = Filter(unit)

    def enter():
        os.chroot(root)
        os.chdir("/")
        os.umask(int(unit["UMask"][-1], 8))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
        calls.load()
    return subprocess.Popen(command, preexec_fn=enter, stdin=subprocess.DEVNULL,
                            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **dict(environment)}, **how)
