"""Lays out what is inside the images: a shell, and a Python, copied from this machine with the libraries they load."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.errors import StartError

_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")
# Parts of the standard library that no job needs: its own tests, its editor, its build files.
_NOT_NEEDED = ("test", "idlelib", "lib2to3", "ensurepip", "turtledemo", "__pycache__", "tkinter")
# What stands in for busybox on a machine without one, as far as the machine has it.
_TOOLS = (
    "sh", "bash", "awk", "base64", "basename", "cat", "chmod", "cmp", "cp", "cut", "date", "dd", "df", "diff",
    "dirname", "du", "echo", "env", "expr", "false", "find", "grep", "gunzip", "gzip", "head", "hostname", "id",
    "kill", "ln", "ls", "md5sum", "mkdir", "mktemp", "mv", "nohup", "nproc", "od", "paste", "printf", "ps", "pwd",
    "readlink", "realpath", "rm", "rmdir", "sed", "seq", "sha256sum", "sleep", "sort", "split", "stat", "sync", "tac",
    "tail", "tar", "tee", "test", "timeout", "touch", "tr", "true", "uname", "uniq", "wc", "whoami", "xargs", "yes",
)  # fmt: skip
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_ASK = (
    "import json, sys, sysconfig; print(json.dumps({'stdlib': sysconfig.get_path('stdlib'),"
    " 'version': '%d.%d' % sys.version_info[:2], 'full': sys.version}))"
)


@dataclass(frozen=True)
class MachinePython:
    """The Python that the machine itself came with: its program, standard library and version."""

    program: Path
    stdlib: Path
    version: str
    full_version: str


def machine_python() -> MachinePython:
    """Return the machine's own Python, not that of a virtual environment. Raises StartError."""
    program = Path("/usr/bin/python3")
    try:
        said = subprocess.run(
            [program, "-I", "-c", _ASK], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.CalledProcessError) as exc:
        raise StartError(f"The python image is made from /usr/bin/python3, which does not run: {exc}") from exc
    told = json.loads(said)
    return MachinePython(program.resolve(), Path(told["stdlib"]), told["version"], told["full"])


def machine_shell(*, search_path: str = "/usr/local/bin:/usr/bin:/bin") -> dict[str, Path]:
    """Return name → file of the shell and small programs: busybox alone, or this machine's own. Raises StartError."""
    if found := shutil.which("busybox", path=search_path):
        return {"busybox": Path(found)}
    named = {name: shutil.which(name, path=search_path) for name in _TOOLS}
    programs = {name: Path(program).resolve() for name, program in named.items() if program}
    if "sh" not in programs:
        raise StartError("The images need a shell, and this machine has neither busybox nor sh in the usual places.")
    return programs


def lay_out_pause(root: Path, program: Path) -> None:
    """Lay out the sandbox image: one static program."""
    shutil.copyfile(program, root / "pause")
    (root / "pause").chmod(0o755)


def lay_out_shell(root: Path, shell: Mapping[str, Path]) -> None:
    """Lay out a shell with the usual small programs (name → file), in the directories that this machine has."""
    for name in ("usr/bin", "etc", "root", "proc", "sys", "dev", "var/tmp", "tmp", "workspace"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        _merge_with_usr(root, name)
    for scratch in ("tmp", "var/tmp"):
        (root / scratch).chmod(0o1777)
    for name, text in _ACCOUNTS.items():
        (root / name).write_text(text)
    _copy_programs(root / "usr/bin", shell)
    if busybox := shell.get("busybox"):
        listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True, timeout=30).stdout
        for applet in {*listed.split()} - {"busybox"}:
            (root / "usr/bin" / applet).symlink_to("busybox")
    copy_libraries(root, shell.values())


def lay_out_python(root: Path, python: MachinePython, packages: Path | None) -> None:
    """Add Python and its standard library to a shell's tree, and installed packages where there are some."""
    target = root / "usr/bin" / f"python{python.version}"
    shutil.copyfile(python.program, target)
    target.chmod(0o755)
    for name in ("python3", "python"):
        (root / "usr/bin" / name).unlink(missing_ok=True)
        (root / "usr/bin" / name).symlink_to(target.name)
    stdlib = root / python.stdlib.relative_to("/")
    shutil.copytree(python.stdlib, stdlib, symlinks=True, ignore=_ignored)
    _drop_dangling_links(stdlib)
    if packages is not None:
        site = root / f"usr/local/lib/python{python.version}/dist-packages"
        shutil.copytree(packages, site, ignore=shutil.ignore_patterns("tests", "__pycache__", "*.pyi", "bin"))
    _compile(root, python)
    copy_libraries(root, [python.program, *python.stdlib.rglob("*.so"), *(packages.rglob("*.so*") if packages else ())])


def copy_libraries(root: Path, programs: Iterable[Path]) -> None:
    """Copy the shared libraries that these programs load on this machine, to where they load them from."""
    files = [str(program) for program in programs]
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False, timeout=120).stdout
    for name in sorted(set(_LIBRARY.findall(said))):
        library = Path(name)
        target = root / (library.parent.resolve() / library.name).relative_to("/")
        if not library.is_relative_to("/usr/lib") and not library.is_relative_to("/lib") and "lib64" not in name:
            continue  # one that came with a package lies beside it already
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(library, target)
            target.chmod(0o755)


def _copy_programs(directory: Path, programs: Mapping[str, Path]) -> None:
    copied: dict[Path, str] = {}
    for name, program in programs.items():
        target = directory / name
        if program in copied:  # some machines have one program for many names, as busybox is
            target.symlink_to(copied[program])
            continue
        shutil.copyfile(program, target)
        target.chmod(0o755)
        copied[program] = name


def _merge_with_usr(root: Path, name: str) -> None:
    if not Path("/", name).is_symlink():
        (root / name).mkdir(exist_ok=True)
        return
    (root / "usr" / name).mkdir(exist_ok=True)
    (root / name).symlink_to(f"usr/{name}")


def _ignored(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name in _NOT_NEEDED or name.startswith("config-")]


def _drop_dangling_links(tree: Path) -> None:
    for path in tree.rglob("*"):
        if path.is_symlink() and (path.readlink().is_absolute() or not path.exists()):
            path.unlink()


def _compile(root: Path, python: MachinePython) -> None:
    """Compile all modules: the root of a pod is read-only, so nothing could be kept from the first import."""
    command = [
        str(python.program), "-I", "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash",
        "-s", str(root), "-p", "/", str(root / "usr"),
    ]  # fmt: skip
    # Its exit code tells of files that are templates or wrong on purpose; they are no modules.
    subprocess.run(["nice", "-n", "19", *command], capture_output=True, check=False, timeout=600)
