"""Whether real shells complete command lines by the scripts of our programs."""

import os
import subprocess

import clients

SECONDS_MAX = 60

# How bash completes a line: the function that the script registers is called as readline calls it.
BASH = r"""
source <("$1" completion bash)
complete_line() {
    read -ra COMP_WORDS <<< "$1"
    [[ "$1" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    local function
    function=$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \([^ ]*\).*/\1/')
    "$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
}
shift
for line; do complete_line "$line"; done
"""

# Fish says what it would offer, a word and its explanation a line.
FISH = r"""
set fish_function_path $argv[1]/usr/share/fish/functions
$argv[2] completion fish | source
for line in $argv[3..]
    string join -- " " (complete -C $line | string replace -r "\t.*" "")
end
"""

# Zsh offers nothing without somebody at a terminal: the script must define what is registered.
ZSH = r"""
module_path=($1/usr/lib/*/zsh/*(N)) fpath=($1/usr/share/zsh/functions/{Completion,Completion/*}(N))
autoload -Uz compinit && compinit -u -D
source <($2 completion zsh)
print -r -- $_comps[${2:t}] $functions[_${2:t}]
"""

# What must be offered for which line.
EXPECTED = {
    "etcdctl": {"etcdctl en": {"endpoint"}, "etcdctl lease gr": {"grant"},
                "etcdctl get --keys": {"--keys-only"}, "etcdctl put --endp": {"--endpoints"},
                "etcdctl member ": {"add", "list", "promote", "remove", "update"}},
    "etcdutl": {"etcdutl sn": {"snapshot"}, "etcdutl snapshot re": {"restore"},
                "etcdutl snapshot restore --data": {"--data-dir"}},
}


def answer(command, environment=None):
    """Standard output and standard error."""
    done = subprocess.run(command, check=False, capture_output=True, text=True,
                          timeout=SECONDS_MAX, env=environment)
    return done.stdout, done.stderr


def compare(shell, program, told, said):
    """What a shell offers for each line, beside what it must."""
    expected = EXPECTED[os.path.basename(program)]
    lines = told.splitlines()
    if len(lines) != len(expected) or said:
        return [f"{shell} can't complete {program}: {told[-300:]} {said[-300:]}"]
    offences = []
    for (line, words), offered in zip(expected.items(), lines):
        offered = set(offered.split())
        if not words <= offered or (not line.endswith(" ") and words != offered):
            offences.append(f"{shell} completes {line!r} with {sorted(offered)}")
    return offences


def with_bash(program):
    """Commands, commands of commands, and flags."""
    lines = EXPECTED[os.path.basename(program)]
    command = ["bash", "--norc", "-c", BASH, "bash", program, *lines]
    return compare("bash", program, *answer(command))


def unpacked_shell(folder):
    """The environment in which unpacked programs find their libraries."""
    libraries = [str(path) for path in sorted(folder.glob("usr/lib/*")) if path.is_dir()]
    return dict(os.environ, LD_LIBRARY_PATH=":".join(libraries), HOME=str(folder))


def with_fish(program):
    """As with bash."""
    folder = clients.fetch_shells(clients.default_cache())
    lines = EXPECTED[os.path.basename(program)]
    command = [str(folder / "usr/bin/fish"), "--no-config", "-c", FISH, str(folder), program,
               *lines]
    return compare("fish", program, *answer(command, unpacked_shell(folder)))


def with_zsh(program):
    """The script is read and defines a function with the commands in it."""
    folder = clients.fetch_shells(clients.default_cache())
    name = os.path.basename(program)
    # Where it lies depends on whether the release has merged the two folders.
    zsh = next(path for path in (folder / "bin/zsh", folder / "usr/bin/zsh") if path.exists())
    command = [str(zsh), "-f", "-c", ZSH, "zsh", str(folder), program]
    told, said = answer(command, unpacked_shell(folder))
    is_known = told.startswith(f"_{name} ") and "--write-out" in told and "snapshot" in told
    return [] if is_known and not said else [f"zsh can't read {program}: {told[:100]} {said}"]
