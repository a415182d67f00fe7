"""An image made from this machine's own programs: a tar of a root file system, so that no registry is needed.

It has what real images have and runtimes stumble over: /bin and /lib as links into /usr, /var/run as a link to /run, users, a
folder that only one user may enter, and no mount points for /etc/hosts and the like.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

PROGRAMS = """cat chmod chown cut date dd df echo env false grep head hostname id kill ls mkdir mknod mount mv pwd readlink rm sed seq
setpriv sh sleep sort stat stty tail test touch tr true tty umount uname unshare wc""".split()

FOLDERS = {
    "usr": 0o755, "usr/bin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "etc": 0o755, "tmp": 0o1777, "proc": 0o555, "sys": 0o555,
    "dev": 0o755, "root": 0o700, "run": 0o755, "var": 0o755, "var/tmp": 0o1777, "home": 0o755, "srv": 0o755,
}  # fmt: skip
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run"}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
    "srv/from-image": "from the image\n",
}


def _libraries(program):
    """The files that the dynamic loader would map for a program, itself included."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def _place(path):
    """Where a file of this machine goes in the image; never through a link of the image."""
    name = path.lstrip("/")
    return name if name.startswith("usr/") else "usr/" + name


def _add(tar, name, kind, mode, data=b"", link="", uid=0):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname, entry.uid, entry.gid = kind, mode, len(data), link, uid, uid
    tar.addfile(entry, io.BytesIO(data) if data else None)


def make(target):
    """Writes the tar. Raises FileNotFoundError for a program that this machine lacks."""
    files = {}
    for program in PROGRAMS:
        path = shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if not path:
            raise FileNotFoundError(f"this machine has no {program} for the image")
        files[f"usr/bin/{program}"] = path
        for library in _libraries(path):
            files[_place(library)] = library
    with tarfile.open(target, "w") as tar:
        for name, mode in FOLDERS.items():
            _add(tar, name, tarfile.DIRTYPE, mode)
        _add(tar, "home/user", tarfile.DIRTYPE, 0o700, uid=1000)
        for name, link in LINKS.items():
            _add(tar, name, tarfile.SYMTYPE, 0o777, link=link)
        made = set(FOLDERS)
        for name, path in sorted(files.items()):
            parent = os.path.dirname(name)
            missing = []
            while parent not in made:
                missing.append(parent)
                made.add(parent)
                parent = os.path.dirname(parent)
            for folder in reversed(missing):
                _add(tar, folder, tarfile.DIRTYPE, 0o755)
            with open(path, "rb") as file:
                _add(tar, name, tarfile.REGTYPE, 0o755, file.read())
        for name, text in FILES.items():
            _add(tar, name, tarfile.REGTYPE, 0o644, text.encode())
    return target


def make_archive(tar, target):
    """Writes the image as an archive that `ctr image import` takes, as docker.io/library/local:latest; it sleeps unless told otherwise."""
    with open(tar, "rb") as file:
        layer = file.read()
    config = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine), "os": "linux",
              "config": {"Cmd": ["sleep", "infinity"], "Env": ["PATH=/usr/bin", "OF=image"]},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": ["docker.io/library/local:latest"], "Layers": ["layer.tar"]}]
    files = {"layer.tar": layer, "config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(target, "w") as archive:
        for name, data in files.items():
            _add(archive, name, tarfile.REGTYPE, 0o644, data)
    return target
