#!/usr/bin/env python3
"""Writes an SPDX 2.3 document in tag-value form: the programs (names below out/ on stdin) and what of others is inside them.

Deterministic for one commit and one set of installed packages: the date is the commit's. Which components count stands in
third_party/components.tsv (Debian packages) and third_party/sources.lock (sources compiled for Windows); a package that is
not installed did not go into the programs and is left out. A static library counts as contained in the programs of its
platform even if the linker took nothing of it.
"""

import fnmatch
import hashlib
import pathlib
import re
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


def output(*command):
    """What a command prints, or "" if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, cwd=TOP, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def spdx_id(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", text)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(name):
    """The lines of a table in third_party/, without comments."""
    lines = (TOP / "third_party" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def package(name, version, licence, supplier, checksum, comment, purl):
    return [
        "",
        f"PackageName: {name}",
        f"SPDXID: {spdx_id('Package-' + name)}",
        f"PackageVersion: {version}",
        f"PackageSupplier: {supplier}",
        "PackageDownloadLocation: NOASSERTION",
        "FilesAnalyzed: false",
        *([f"PackageChecksum: SHA256: {checksum}"] if checksum else []),
        "PackageLicenseConcluded: NOASSERTION",
        f"PackageLicenseDeclared: {licence}",
        "PackageCopyrightText: NOASSERTION",
        f"PackageComment: <text>{comment}</text>",
        *([f"ExternalRef: PACKAGE-MANAGER purl {purl}"] if purl else []),
    ]


def debian_packages(platforms):
    """(lines, platforms) of each component of components.tsv that is installed and used by one of the platforms."""
    system = output("sh", "-c", '. /etc/os-release; echo "$ID"') or "debian"
    found = []
    for row in rows("components.tsv"):
        name, pattern, programs, licence, how = row.split("\t")
        users = platforms & set(programs.split())
        version = output("dpkg-query", "-W", "-f", "${Version}", name)
        if not users or not version:
            continue
        arch = output("dpkg-query", "-W", "-f", "${Architecture}", name)
        digest = hashlib.sha256()
        for file in sorted(output("dpkg-query", "-L", name).splitlines()):
            path = pathlib.Path(file)
            if fnmatch.fnmatch(file, pattern) and path.is_file():
                digest.update(f"{sha256(path)}  {file}\n".encode())
        comment = f"{how}; the checksum is that of the list `sha256sum FILE...` of its files {pattern}, sorted by name"
        purl = f"pkg:deb/{system}/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}"
        supplier = f"Organization: {system.capitalize()}"
        found.append((name, users, package(name, version, licence, supplier, digest.hexdigest(), comment, purl)))
    return found


def locked_sources(platforms):
    """The same for sources.lock, all of which is for Windows."""
    found = []
    if "windows" in platforms:
        for row in rows("sources.lock"):
            name, version, licence, tarball, checksum = row.split()
            comment = f"compiled from {tarball} of Debian's archive; the checksum is the tarball's"
            lines = package(f"{name}-source", version, licence, "Organization: Debian", checksum, comment, "")
            found.append((f"{name}-source", {"windows"}, lines))
    return found


def main():
    files = sys.stdin.read().split()
    commit = output("git", "rev-parse", "HEAD") or "unknown"
    dirty = bool(output("git", "status", "--porcelain"))
    version = commit + ("-modified" if dirty else "")
    seconds = int(output("git", "log", "-1", "--format=%ct") or 0)
    platform_of = {file: "windows" if file.startswith("windows/") else "linux" for file in files}
    platforms = set(platform_of.values())
    combined = hashlib.sha256("".join(f"{sha256(TOP / 'out' / f)}  {f}\n" for f in sorted(files)).encode()).hexdigest()

    lines = [
        "SPDXVersion: SPDX-2.3",
        "DataLicense: CC0-1.0",
        "SPDXID: SPDXRef-DOCUMENT",
        "DocumentName: mxc",
        f"DocumentNamespace: https://spdx.org/spdxdocs/mxc-{version}-{combined[:16]}",
        "Creator: Tool: mxc-tools-build",
        f"Created: {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))}",
    ]
    relations = ["Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-mxc"]
    # Before the first package: a file that follows one would belong to it.
    for file in files:
        path = TOP / "out" / file
        lines += [
            "",
            f"FileName: ./{file}",
            f"SPDXID: {spdx_id('File-' + file)}",
            "FileType: BINARY",
            f"FileChecksum: SHA1: {hashlib.sha1(path.read_bytes()).hexdigest()}",
            f"FileChecksum: SHA256: {sha256(path)}",
            "LicenseConcluded: NOASSERTION",
            "LicenseInfoInFile: NOASSERTION",
            "FileCopyrightText: NOASSERTION",
        ]
        relations.append(f"Relationship: SPDXRef-Package-mxc CONTAINS {spdx_id('File-' + file)}")
    lines += package("mxc", version, "NOASSERTION", "NOASSERTION", combined,
                     "the files above; the checksum is that of their `sha256sum` list", "")
    for name, users, described in debian_packages(platforms) + locked_sources(platforms):
        lines += described
        for file in files:
            if platform_of[file] in users:
                relations.append(f"Relationship: {spdx_id('File-' + file)} CONTAINS {spdx_id('Package-' + name)}")
    print("\n".join(lines + [""] + relations))


if __name__ == "__main__":
    main()
