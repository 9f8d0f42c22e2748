#!/bin/sh
# Builds guest.wasm, which is committed. Same compiler, same bytes:
#   apt-get install clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang-19}" --target=wasm32-wasi -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Os -s \
	-o guest.wasm.new guest.c
chmod 644 guest.wasm.new
mv guest.wasm.new guest.wasm
