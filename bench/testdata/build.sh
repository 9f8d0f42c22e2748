#!/bin/sh
# Builds table.wasm, which is committed. Same compiler, same bytes:
#   apt-get install clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang-19}" --target=wasm32-wasi -mexec-model=reactor -std=c11 -Wall -Wextra -Werror -Os -s \
	-Wl,--initial-memory=262144 -o table.wasm.new table.c
chmod 644 table.wasm.new
mv table.wasm.new table.wasm
