"""The root file system of the virtual machine: an initial ramdisk in the kernel's "newc" cpio format, made without root.

Files keep the paths they have on the host, so a program finds its libraries, its resources and its neighbours where it
expects them. What a program needs beyond itself is asked of ldd; libraries that are loaded by name are named here.
"""

import os
import pathlib
import re
import stat
import subprocess

# glibc loads it when a thread ends.
LOADED_BY_NAME = ["/lib/x86_64-linux-gnu/libgcc_s.so.1"]


class Archive:
    """Collects files, and writes them out as one archive."""

    def __init__(self):
        self.entries = {}
        for directory in ["dev", "proc", "sys", "tmp", "run", "root", "etc", "usr", "usr/bin", "usr/lib", "usr/lib64"]:
            self.directory(directory)
        for link in ["bin", "lib", "lib64"]:
            self.link(link, f"usr/{link}")
        self.link("sbin", "usr/bin")
        # The kernel gives it to the first program as its standard files.
        self.entries["dev/console"] = (stat.S_IFCHR | 0o600, b"", (5, 1))

    def directory(self, path):
        self._parents(path)
        self.entries.setdefault(path, (stat.S_IFDIR | 0o755, b"", (0, 0)))

    def link(self, path, target):
        self._parents(path)
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0))

    def text(self, path, text):
        self._parents(path)
        self.entries[path] = (stat.S_IFREG | 0o755, text.encode(), (0, 0))

    def file(self, source, path=None):
        """Adds a file of the host, by default under its own path; links are followed."""
        path = self._place(str(path or source).lstrip("/"))
        self._parents(path)
        self.entries[path] = (stat.S_IFREG | 0o755, pathlib.Path(source).read_bytes(), (0, 0))

    def program(self, source):
        """Adds a program or library and all libraries it needs."""
        self.file(source)
        needed = subprocess.run(["ldd", str(source)], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"/[^ ]+", needed) + LOADED_BY_NAME:
            if self._place(library.lstrip("/")) not in self.entries:
                self.file(library)

    @staticmethod
    def _place(path):
        """Where a path lies in a tree whose /bin and /lib are links into /usr."""
        return f"usr/{path}" if path.split("/")[0] in ["bin", "lib", "lib64"] and "/" in path else path

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent:
            self.directory(parent)

    def write(self, file):
        for inode, path in enumerate(sorted(self.entries, key=lambda path: path.count("/")), start=1):
            mode, content, device = self.entries[path]
            self._entry(file, inode, mode, path, content, device)
        self._entry(file, 0, 0, "TRAILER!!!", b"", (0, 0))

    @staticmethod
    def _entry(file, inode, mode, path, content, device):
        name = path.encode() + b"\0"
        numbers = [inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0]
        head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
        for part in (head, content):
            file.write(part)
            file.write(bytes(-len(part) % 4))
