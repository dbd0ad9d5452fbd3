#!/bin/sh
# Stands in for protoc: builds the small program beside this file and runs it with the same
# arguments. It is called from build scripts, so the outer build's settings that would change or
# block a nested build are removed first.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
unset CARGO_ENCODED_RUSTFLAGS CARGO_MAKEFLAGS MAKEFLAGS MFLAGS RUSTC_WRAPPER \
    RUSTC_WORKSPACE_WRAPPER RUSTFLAGS TARGET CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR \
    CARGO_TARGET_DIR
"${CARGO:-cargo}" build --quiet --locked \
    --manifest-path "$here/Cargo.toml" --target-dir "$here/target" >&2
exec "$here/target/debug/retcd-protoc" "$@"
