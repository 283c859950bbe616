#!/bin/sh
# Stands in for Python, pip, Poetry and uv, so that tests need no network: it speaks the part of
# their command lines that making an environment uses, and makes folders like theirs. Its name
# tells which it is. Beside it lies .state, the path of a folder with:
#   calls   every call is added to it       answer  what Python says of itself
#   pip     pip's settings                  mode    how the installation goes
set -eu
name=$(basename "$0")
bin=$(dirname "$0")
self=$(readlink "$0")
state=$(cat "$bin/.state")
printf '%s %s\n' "$name" "$*" >>"$state/calls"
mode=$(cat "$state/mode")
last=
for last; do :; done

# Makes a folder's bin with this script in it, under the name $2.
place() {
    mkdir -p "$1/bin"
    cp "$bin/.state" "$1/bin/.state"
    ln -s "$self" "$1/bin/$2"
}

case "$name $*" in
"python3 -I -c "*)
    cat "$state/answer"
    ;;
"python3 -I -m venv "*)
    place "$last" python
    ;;
"python -m pip config list")
    cat "$state/pip"
    ;;
"python -m pip install "*)
    [ "$mode" != no-index ] || {
        echo "WARNING: Retrying: NewConnectionError: Failed to establish a new connection"
        echo "ERROR: No matching distribution found for uv"
        exit 1
    }
    ln -s "$self" "$bin/uv"
    ;;
"poetry export "*)
    # Name and version follow each other in a lock.
    sed -n 's/^name = "\(.*\)"$/\1/p; s/^version = "\(.*\)"$/==\1/p' poetry.lock |
        paste -d '\0' - - >requirements.txt
    ;;
"uv venv "*)
    place "$last" python
    mkdir -p "$last/lib/python3.11/site-packages"
    printf 'home = /nowhere\nversion_info = 3.11.9\n' >"$last/pyvenv.cfg"
    ;;
"python -m pip --disable-pip-version-check --no-input index versions "*)
    echo "WARNING: pip index is experimental"
    echo "$last (3.0)"
    echo "Available versions: 3.0, 3.0rc1, 2.0, 1.0"
    ;;
"uv pip compile "*)
    # What is asked for at a version has that one, what else is there is at 7.
    case "$(cat asked.in)" in
    *"==9"*)
        echo "  × No solution found when resolving dependencies:"
        echo "  ╰─▶ Because there is no version of thing==9.0 and you"
        echo "      require thing==9.0, your requirements are unsatisfiable."
        exit 1
        ;;
    esac
    case "$mode $*" in
    "too-old "*"--no-deps"*) ;;
    "too-old "*"--exclude-newer"*)
        echo "  × No solution found when resolving dependencies:"
        exit 1
        ;;
    esac
    : >"$last"
    while IFS= read -r line; do
        case "$line" in *==*) ;; *) line="$line==7.0" ;; esac
        case "$last" in
        *.toml)
            printf '[[packages]]\nname = "%s"\nwheels = [{ url = "x", upload-time = 2024-06-18T14:47:10Z, size = 1000 }]\n' \
                "${line%%==*}" >>"$last"
            ;;
        *) printf '%s \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n' "$line" >>"$last" ;;
        esac
    done <asked.in
    ;;
"uv pip install "*"tools.txt")
    ln -s "$self" "$bin/poetry"
    ;;
"uv pip install "*"requirements.txt")
    env | grep -E '^(UV_|SSL_CERT)' | sort >"$state/uv-environment"
    while [ "$1" != --python ]; do shift; done
    site=$(dirname "$2")/../lib/python3.11/site-packages
    case "$mode" in
    hang)
        sleep 600 &
        printf '%s\n' $$ $! >"$state/pids.new"
        mv "$state/pids.new" "$state/pids"
        wait
        ;;
    network)
        echo "Resolving"
        echo "error: Failed to fetch: http://user:secret@mirror.invalid/simple/numpy/"
        echo "  Caused by: dns error: failed to lookup address information"
        exit 2
        ;;
    full)
        echo "error: failed to write: No space left on device (os error 28)"
        exit 2
        ;;
    broken)
        echo "error: something nobody thought of"
        exit 3
        ;;
    slow) sleep 1 ;;
    esac
    while IFS= read -r line; do
        case "$line" in \#* | *--hash*) continue ;; esac
        line=${line% \\}
        package=${line%%==*}
        version=${line##*==}
        [ "$mode" != forget ] || [ "$package" != numpy ] || continue
        mkdir "$site/$package-$version.dist-info"
        printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n\ntext\n' "$package" "$version" \
            >"$site/$package-$version.dist-info/METADATA"
    done <requirements.txt
    ;;
*)
    echo "the stand-in for $name does not know: $*" >&2
    exit 64
    ;;
esac
