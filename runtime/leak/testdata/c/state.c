/*
 * What a C guest can keep from one request for the next, and what it draws at
 * random. See doc.go of package leak for what it is asked and what it answers.
 *
 * With COMMAND defined it is a command, otherwise a handler.
 */
#ifdef COMMAND
#define CLOCHE_COMMAND
#endif
#include "../../../../sdk/c/cloche.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

enum { PREFIX = 8, SECRET = 24, PAGE = 64 << 10, HEAP = 8 << 10, MOST_FDS = 32 };

/* A NUL follows it here, hexadecimal digits in a secret. */
static const char prefix[PREFIX + 1] = "~secret~";

static char words[64], secret[SECRET + 1];

/* ---- the answer: words with a blank between them --------------------------- */

static char answer[2048];
static size_t answered;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(answer + answered, sizeof answer - answered, format, arguments);
    va_end(arguments);
    if (n > 0 && answered + (size_t)n < sizeof answer) answered += (size_t)n;
}

static bool asked(const char *word) { return strstr(words, word) != NULL; }

/* ---- what others may have left --------------------------------------------- */

static unsigned counter;
static char global[SECRET];
static char *heap; /* from before the first request */

static bool is_secret(const char *p) {
    if (memcmp(p, prefix, PREFIX) != 0) return false;
    for (int i = PREFIX; i < SECRET; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) return false;
    }
    return memcmp(p, secret, SECRET) != 0;
}

/* look_at_memory looks for secrets of others in all there is. */
static void look_at_memory(void) {
    size_t end = __builtin_wasm_memory_size(0) * PAGE - SECRET;
    uint64_t want, got;
    memcpy(&want, prefix, PREFIX);
    for (size_t at = 1; at <= end; at++) {
        memcpy(&got, (const char *)at, PREFIX);
        if (got == want && is_secret((const char *)at)) {
            say(" !memory-at-%zu=%.24s", at, (const char *)at);
            return;
        }
    }
}

/* write_memory is where a later request must not look: page by page. */
static void write_memory(char *from, size_t bytes) {
    for (size_t at = 0; at + SECRET <= bytes; at += 4096) memcpy(from + at, secret, SECRET);
    memcpy(from + bytes - SECRET, secret, SECRET);
}

static void look_and_grow(void) {
    size_t pages = __builtin_wasm_memory_grow(0, 3);
    char *from = (char *)(pages * PAGE);
    for (size_t at = 0; at < 3 * PAGE; at++) {
        if (from[at] != 0) {
            say(" !grown-at-%zu=%d", at, from[at]);
            break;
        }
    }
    write_memory(from, 3 * PAGE);
}

static void use_heap(void) {
    for (int i = 0; i < HEAP; i++) {
        if (heap[i] != 'h') {
            say(" !heap-at-%d=%d", i, heap[i]);
            break;
        }
    }
    write_memory(heap, HEAP);
    char *block = malloc(3 * HEAP);
    say(" malloc=%p", (void *)block);
    write_memory(block, 3 * HEAP);
}

static void use_environment(void) {
    const char *left = getenv("LEFT");
    if (left != NULL) say(" !environment=%s", left);
    setenv("LEFT", secret, 1);
}

static void use_tmp(void) {
    char text[SECRET + 1] = "";
    int fd = open("/tmp/left", O_RDONLY);
    if (fd >= 0) {
        read(fd, text, SECRET);
        say(" !tmp=%s", text);
        close(fd);
    }
    DIR *dir = opendir("/tmp");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') say(" !tmp-has=%s", entry->d_name);
    }
    if (dir != NULL) closedir(dir);
    fd = open("/tmp/left", O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || write(fd, secret, SECRET) != SECRET) say(" no-tmp");
    close(fd);
}

/* use_descriptors says which there are, and leaves one more. */
static int use_descriptors(void) {
    struct stat status;
    say(" fds=");
    for (int fd = 0; fd < MOST_FDS; fd++) {
        if (fstat(fd, &status) == 0) say("%d:%x,", fd, (unsigned)fcntl(fd, F_GETFL));
    }
    int held = open("/tmp/held", O_CREAT | O_RDWR, 0600);
    if (held < 0 || write(held, secret, SECRET) != SECRET) say(" nothing-held");
    say(" fd=%d", held);
    fcntl(2, F_SETFL, O_APPEND);
    return held;
}

/* lose closes what the next request will need. */
static void lose(int held) {
    close(1);
    (void)!__wasi_fd_renumber((__wasi_fd_t)held, 0);
    close(2);
}

/* ---- what is drawn at random ------------------------------------------------- */

static uint64_t at_init;

static uint64_t draw(void) {
    uint64_t n = 0;
    if (getentropy(&n, sizeof n) != 0) say(" !no-entropy");
    return n;
}

__attribute__((constructor)) static void initialize(void) {
    heap = malloc(HEAP);
    memset(heap, 'h', HEAP);
    const char *words = getenv("AT_INIT");
    if (words != NULL && strstr(words, "random_get") != NULL) at_init = draw();
}

static void answer_random(void) {
    say("getentropy=%llx", draw());
    if (at_init != 0) say(" init-getentropy=%llx", at_init);
}

/* ---- one request ------------------------------------------------------------- */

static int held;

static void work(void) {
    answered = 0;
    if (asked("random")) {
        answer_random();
        return;
    }
    say("counter=%u pages=%zu", ++counter, (size_t)__builtin_wasm_memory_size(0));
    if (memcmp(global, (char[SECRET]){0}, SECRET) != 0) say(" !global=%.24s", global);
    memcpy(global, secret, SECRET);
    look_at_memory();
    if (asked("grow")) look_and_grow();
    use_heap();
    use_environment();
    use_tmp();
    held = use_descriptors();
    fputs(secret, stderr); /* a line without an end */
    fflush(stderr);
}

static void finish(void) {
    if (asked("close")) lose(held);
    if (asked("trap")) __builtin_trap();
}

#ifdef COMMAND

/* copy copies the text of a header; none of ours needs an escape. */
static void copy(char *to, size_t size, const char *event, const char *name) {
    const char *from = strstr(event, name);
    size_t n = 0;
    for (from = from != NULL ? from + strlen(name) : ""; *from != '"' && *from != '\0' && n + 1 < size;) to[n++] = *from++;
    to[n] = '\0';
}

int main(void) {
    size_t length;
    char *event = cloche_event(&length);
    if (event == NULL) return 1;
    copy(words, sizeof words, event, "\"x-do\":\"");
    copy(secret, sizeof secret, event, "\"x-secret\":\"");
    work();
    int result = cloche_answer(200, "text/plain", answer, answered);
    finish();
    return result;
}

#else

static void serve(void) {
    cloche_header("x-do", words, sizeof words);
    cloche_header("x-secret", secret, sizeof secret);
    work();
    cloche_write(answer, answered);
    finish();
}
CLOCHE_HANDLER(serve)

#endif
