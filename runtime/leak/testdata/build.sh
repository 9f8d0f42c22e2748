#!/bin/sh
# Builds the guests of the leak tests that are committed; the Go guests are built
# by the tests. Same toolchain, same bytes.
#
#   build.sh [c|rust|as]    the guests of one toolchain, or all, and their sums
#
#   apt-get install clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc
#   apt-get install rustc libstd-rust-dev-wasm32 lld-14
#   apt-get install nodejs npm
#
# CLANG, RUSTC_WASM and CLOCHE_TOOLS say where else to look, as in examples/build.sh.
set -eu
cd "$(dirname "$0")"
sdk=../../../sdk
tools=${CLOCHE_TOOLS:-$PWD/.tools}

build_c() {
	for kind in handler command; do
		flags=-mexec-model=reactor
		[ $kind = command ] && flags=-DCOMMAND
		"${CLANG:-clang-19}" --target=wasm32-wasi -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Os -s $flags \
			-o c-$kind.wasm c/state.c
	done
}

build_rust() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	rust() {
		"${RUSTC_WASM:-/usr/bin/rustc}" --edition 2021 --target wasm32-wasi -C linker=wasm-ld-14 -C opt-level=z \
			-C panic=abort -C lto -C codegen-units=1 -C strip=symbols "$@"
	}
	rust --crate-type rlib --crate-name cloche -o "$work/libcloche.rlib" $sdk/rust/src/lib.rs
	rust --crate-type cdylib --extern cloche="$work/libcloche.rlib" -o rust-handler.wasm rust/handler.rs
	rust --crate-type bin -o rust-command.wasm rust/command.rs
}

build_as() {
	asc=$tools/node_modules/assemblyscript/bin/asc.js
	[ -f "$asc" ] || npm install --prefix "$tools" --ignore-scripts --no-save --no-audit --no-fund assemblyscript@0.28.20
	(cd as && node "$asc" state.ts --outFile ../as-handler.wasm \
		-O3 --noAssert --runtime stub --use abort=state/abort --use seed=state/seed --exportStart _initialize)
}

case ${1:-all} in
c | rust | as) "build_$1" ;;
all) for toolchain in c rust as; do "build_$toolchain"; done ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
chmod 644 ./*.wasm
sha256sum ./*.wasm >SHA256SUMS
ls -l ./*.wasm
