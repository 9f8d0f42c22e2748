/*
 * A handler with 256 KiB of memory, for the benchmarks: its constructor fills a
 * table, which each request reads, and a request uses the heap.
 */
#include "../../sdk/c/cloche.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 32 << 10, LOOKUPS = 4096, BLOCKS = 16, BLOCK = 1 << 10 };

static uint32_t table[ENTRIES];

__attribute__((constructor)) static void fill(void) {
    uint32_t x = 1;
    for (size_t i = 0; i < ENTRIES; i++) table[i] = x = x * 1664525 + 1013904223;
}

static void serve(void) {
    char text[32];
    char *blocks[BLOCKS];
    uint32_t sum = 0, at = 0;
    for (size_t i = 0; i < LOOKUPS; i++) sum += at = table[at % ENTRIES];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        if (blocks[i] == NULL) abort();
        memset(blocks[i], (int)sum, BLOCK);
        sum += (unsigned char)blocks[i][i];
    }
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    for (size_t i = 0; i < 8; i++) text[i] = "0123456789abcdef"[sum >> 4 * i & 15];
    text[8] = '\0';
    cloche_send(200, "text/plain", text);
}
CLOCHE_HANDLER(serve)
