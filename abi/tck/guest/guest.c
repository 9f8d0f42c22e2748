/*
 * The guest of the conformance kit: a command that does what the x-tck header
 * of its event says. It shares no code with an SDK, so that neither can hide a
 * fault of the other. build.sh builds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

/* The largest event: a body of 6 MiB with each byte escaped, and the rest. */
enum { EVENT_BYTES = 40 << 20 };

/* ---- JSON: just enough to find a member and to unescape a string ---------- */

static const char *skip_blanks(const char *p) { return p + strspn(p, " \t\r\n"); }

/* skip_string steps over a string; p is at its first quote. */
static const char *skip_string(const char *p) {
    for (p++; *p != '"' && *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') p++;
    }
    return *p == '"' ? p + 1 : p;
}

/* skip_value steps over any value, however deep: quotes hide brackets. */
static const char *skip_value(const char *p) {
    int depth = 0;
    do {
        p = skip_blanks(p);
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (*p == ',' || *p == ':') {
            p++;
        } else {
            p += strcspn(p, ",:{}[] \t\r\n");
        }
        p = skip_blanks(p);
    } while (depth > 0 && *p != '\0');
    return p;
}

/* member finds the value of a key in the object at p, or NULL. */
static const char *member(const char *p, const char *key) {
    size_t length = strlen(key);
    if (p == NULL || *(p = skip_blanks(p)) != '{') return NULL;
    for (p = skip_blanks(p + 1); *p == '"'; p = skip_blanks(p + 1)) {
        const char *name = p + 1, *end = skip_string(p);
        bool found = (size_t)(end - 1 - name) == length && memcmp(name, key, length) == 0;
        p = skip_blanks(end);
        if (*p != ':') return NULL;
        p = skip_blanks(p + 1);
        if (found) return p;
        p = skip_value(p);
        if (*p != ',') return NULL;
    }
    return NULL;
}

static unsigned hex4(const char *p) {
    char digits[5] = {0};
    strncpy(digits, p, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

static char *put_utf8(char *to, unsigned c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* unescape copies the string at p, quotes removed, to where `to` has room for
 * it, and returns the length. What is no string is empty. */
static size_t unescape(const char *p, char *to) {
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    char *start = to;
    if (p == NULL || *p != '"') return 0;
    for (p++; *p != '"' && *p != '\0'; p++) {
        const char *escape;
        unsigned c;
        if (*p != '\\') {
            *to++ = *p;
            continue;
        }
        if (*++p == '\0') break;
        if (*p == 'u') {
            c = hex4(p + 1);
            p += strnlen(p + 1, 4);
            if (c >> 10 == 0xd800 >> 10 && p[1] == '\\' && p[2] == 'u' && hex4(p + 3) >> 10 == 0xdc00 >> 10) {
                c = 0x10000 + ((c & 0x3ff) << 10) + (hex4(p + 3) & 0x3ff);
                p += 6;
            }
            to = put_utf8(to, c);
            continue;
        }
        escape = strchr(escapes, *p);
        *to++ = escape != NULL ? escape[1] : *p;
    }
    return (size_t)(to - start);
}

/* decode_base64 decodes in place and returns the length. */
static size_t decode_base64(char *text, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0, i;
    for (i = 0; i < length; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) break;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) text[n++] = (char)(bits >> (have -= 8));
    }
    return n;
}

/* ---- the answer ------------------------------------------------------------ */

static void put_string(const char *text, size_t length) {
    size_t i;
    putchar('"');
    for (i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            putchar('\\');
            putchar(c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static int answer(int status, const char *content_type, const char *body, size_t length) {
    printf("{\"statusCode\":%d,\"headers\":{\"content-type\":\"%s\"},\"body\":", status, content_type);
    put_string(body, length);
    puts("}");
    return 0;
}

static int answer_text(int status, const char *body) { return answer(status, "text/plain", body, strlen(body)); }

/* ---- the commands: each gets the event and returns the exit code ----------- */

/* event: the event itself as the body. */
static int do_event(const char *event) { return answer(200, "application/json", event, strlen(event)); }

/* raw: the request body as standard output, so that the test chooses the answer. */
static int do_raw(const char *event) {
    const char *is_base64 = member(event, "isBase64Encoded");
    char *body = malloc(strlen(event) + 1);
    size_t length;
    if (body == NULL) return 1;
    length = unescape(member(event, "body"), body);
    if (is_base64 != NULL && strncmp(is_base64, "true", 4) == 0) length = decode_base64(body, length);
    fwrite(body, 1, length, stdout);
    return 0;
}

/* exit3: a program that fails. */
static int do_exit3(const char *event) {
    (void)event;
    return 3;
}

/* trap: a program that crashes. */
static int do_trap(const char *event) {
    (void)event;
    __builtin_trap();
}

/* spin: work without an end. */
static int do_spin(const char *event) {
    volatile uint32_t turns = 0;
    (void)event;
    for (;;) turns++;
}

/* sleep: an hour, and again if that was cut short. */
static int do_sleep(const char *event) {
    struct timespec hour = {.tv_sec = 3600};
    (void)event;
    while (nanosleep(&hour, &hour) != 0) {
    }
    return answer_text(200, "slept");
}

/* flood: 100 MB of output, whatever becomes of it. */
static int do_flood(const char *event) {
    static char block[100000];
    int i;
    (void)event;
    memset(block, 'x', sizeof block);
    for (i = 0; i < 1000; i++) write(STDOUT_FILENO, block, sizeof block);
    return 0;
}

/* log: lines that would look like others, or do something to a terminal. */
static int do_log(const char *event) {
    (void)event;
    fputs("plain line\n", stderr);
    fputs("\033[31mred\033[0m \033]0;title\007 \033[2J\n", stderr);
    fputs("two lines\nlevel=ERROR msg=forged\n", stderr);
    fputs("over\rwritten \b\b\x7f\xc2\x9b" "31m \xff\xfe\n", stderr);
    fputs("no end of line", stderr);
    return answer_text(204, "");
}

/* grow: all the memory that there is, in pieces of 1 MiB, then smaller ones. */
static int do_grow(const char *event) {
    char text[32];
    size_t bytes = 0, piece;
    (void)event;
    for (piece = 1 << 20; piece >= 1 << 10; piece /= 2) {
        for (;;) {
            volatile char *memory = malloc(piece);
            if (memory == NULL) break;
            memory[0] = memory[piece - 1] = 1;
            bytes += piece;
        }
    }
    snprintf(text, sizeof text, "%zu", bytes);
    return answer_text(200, text);
}

/* env: the environment as a JSON object. */
static int do_env(const char *event) {
    extern char **environ;
    char **variable;
    (void)event;
    /* A body is a string, so the object is escaped once more; building it in
     * memory first needs no second escaper. */
    size_t size = 3, length = 0;
    char *object;
    for (variable = environ; *variable != NULL; variable++) size += 6 * strlen(*variable) + 6;
    object = malloc(size);
    if (object == NULL) return 1;
    object[length++] = '{';
    for (variable = environ; *variable != NULL; variable++) {
        const char *p;
        bool in_name = true;
        if (variable != environ) object[length++] = ',';
        object[length++] = '"';
        for (p = *variable; *p != '\0'; p++) {
            if (in_name && *p == '=') {
                length += (size_t)sprintf(object + length, "\":\"");
                in_name = false;
            } else if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20) {
                length += (size_t)sprintf(object + length, "\\u%04x", (unsigned char)*p);
            } else {
                object[length++] = *p;
            }
        }
        object[length++] = '"';
    }
    object[length++] = '}';
    return answer(200, "application/json", object, length);
}

/* random: 16 bytes from the host, in hexadecimal. */
static int do_random(const char *event) {
    unsigned char bytes[16];
    char text[2 * sizeof bytes + 1];
    size_t i;
    (void)event;
    if (getentropy(bytes, sizeof bytes) != 0) return 1;
    for (i = 0; i < sizeof bytes; i++) sprintf(text + 2 * i, "%02x", bytes[i]);
    return answer_text(200, text);
}

/* clock: both clocks, in seconds. */
static int do_clock(const char *event) {
    struct timespec real, monotonic;
    char text[96];
    (void)event;
    if (clock_gettime(CLOCK_REALTIME, &real) != 0 || clock_gettime(CLOCK_MONOTONIC, &monotonic) != 0) return 1;
    snprintf(text, sizeof text, "realtime %lld.%09ld\nmonotonic %lld.%09ld\n", (long long)real.tv_sec, real.tv_nsec,
        (long long)monotonic.tv_sec, monotonic.tv_nsec);
    return answer_text(200, text);
}

/* files: what an open fails with. libc answers by itself where it knows of no
 * directory, so the host is asked too, with the descriptor of one that it might
 * have given. */
static int do_files(const char *event) {
    static const char *const paths[] = {"/", "/etc/passwd", "."};
    char text[512];
    int length = 0;
    size_t i;
    (void)event;
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = open(paths[i], O_RDONLY);
        length += snprintf(text + length, sizeof text - (size_t)length, "open %s: %d %s\n", paths[i],
            fd < 0 ? errno : 0, fd < 0 ? strerror(errno) : "opened");
    }
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        __wasi_fd_t fd;
        __wasi_errno_t failure = __wasi_path_open(3, 0, paths[i], 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd);
        length += snprintf(text + length, sizeof text - (size_t)length, "path_open 3 %s: %d %s\n", paths[i], failure,
            failure != 0 ? strerror(failure) : "opened");
    }
    return answer_text(200, text);
}

static const struct {
    const char *name;
    int (*run)(const char *event);
} commands[] = {
    {"event", do_event}, {"raw", do_raw},   {"exit3", do_exit3}, {"trap", do_trap}, {"spin", do_spin},
    {"sleep", do_sleep}, {"flood", do_flood}, {"log", do_log},   {"grow", do_grow}, {"env", do_env},
    {"random", do_random}, {"clock", do_clock}, {"files", do_files},
};

/* read_event reads all of standard input, with a NUL behind it. */
static char *read_event(void) {
    size_t size = 16 << 10, length = 0, n;
    char *event = malloc(size);
    while (event != NULL && (n = fread(event + length, 1, size - 1 - length, stdin)) > 0) {
        length += n;
        if (length > EVENT_BYTES) return NULL;
        if (length == size - 1) event = realloc(event, size *= 2);
    }
    if (event != NULL) event[length] = '\0';
    return event;
}

int main(void) {
    char *event = read_event();
    const char *header = member(member(event, "headers"), "x-tck");
    char name[16] = "event";
    size_t i;
    if (event == NULL) return 1;
    if (header != NULL && skip_string(header) - header <= (ptrdiff_t)sizeof name) name[unescape(header, name)] = '\0';
    for (i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(event);
    }
    return answer_text(400, "x-tck names no command");
}
