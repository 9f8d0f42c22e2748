#!/bin/sh
# Builds workloads.wasm, which is committed. Same compiler, same bytes:
#   apt-get install clang-19 lld-19
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang-19}" --target=wasm32 -std=gnu11 -Wall -Wextra -Werror -O2 -s -mbulk-memory -nostdlib -Wl,--no-entry \
	-o workloads.wasm.new workloads.c
chmod 644 workloads.wasm.new
mv workloads.wasm.new workloads.wasm
