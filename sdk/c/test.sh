#!/bin/sh
# The tests of cloche.h, natively. CC and CFLAGS may be set.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
test=$work/test
# shellcheck disable=SC2086 # a list of words
"${CC:-cc}" -std=c99 -Wall -Wextra -Wpedantic ${CFLAGS:--fsanitize=address,undefined} -o "$test" test.c
"$test"

answer() { printf '%b' "$1" | "$test" command; }
expect() {
	[ "$(answer "$2")" = "$3" ] && return
	echo "$1: got $(answer "$2"), want $3" >&2
	exit 1
}
head='{"statusCode":200,"headers":{"content-type":"text/plain"},"body":'
expect 'text' '"a"\n' "$head\"\\\"a\\\"\\u000a\"}"
expect 'bytes' '\0377a' "$head\"/2E=\",\"isBase64Encoded\":true}"
expect 'nothing' '' "$head\"\"}"
if head -c 41943041 /dev/zero | "$test" command >/dev/null; then
	echo 'an event over CLOCHE_EVENT_BYTES was taken' >&2
	exit 1
fi
