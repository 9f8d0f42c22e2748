/*
 * The guest of the conformance kit: a command that does what the x-tck header
 * of its event says. It shares no code with an SDK, so that neither can hide a
 * fault of the other. build.sh builds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
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

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* decode_base64 decodes in place, up to the padding, and returns the length. */
static size_t decode_base64(char *text, size_t length) {
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0, i;
    for (i = 0; i < length && base64_digit(text[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(text[i]);
        have += 6;
        if (have >= 8) text[n++] = (char)(bits >> (have -= 8));
    }
    return n;
}

/* ---- output: without stdio, which would be most of the module -------------- */

static char out[64 << 10];
static size_t out_length;

static void flush(void) {
    size_t done = 0;
    while (done < out_length) {
        ssize_t n = write(STDOUT_FILENO, out + done, out_length - done);
        if (n <= 0) _Exit(1);
        done += (size_t)n;
    }
    out_length = 0;
}

static void put(const char *bytes, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        if (out_length == sizeof out) flush();
        out[out_length++] = bytes[i];
    }
}

static void put_text(const char *text) { put(text, strlen(text)); }

/* number makes the decimal digits of n, at least width of them; the next number
 * overwrites them. */
static const char *number(uint64_t n, int width) {
    static char text[24];
    char *p = text + sizeof text - 1;
    for (; n > 0 || width > 0; n /= 10, width--) *--p = (char)('0' + n % 10);
    return p;
}

/* put_escaped puts what stands for the bytes inside a JSON string. */
static void put_escaped(void (*to)(const char *, size_t), const char *bytes, size_t length) {
    static const char digits[] = "0123456789abcdef";
    size_t plain = 0, i;
    for (i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        to(bytes + plain, i - plain);
        plain = i;
        if (c >= 0x20) {
            to("\\", 1);
        } else {
            char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            to(escape, sizeof escape);
            plain++;
        }
    }
    to(bytes + plain, length - plain);
}

/* An answer is a begin, parts of its body, and an end. */

static void begin(int status, const char *content_type) {
    put_text("{\"statusCode\":");
    put_text(number((uint64_t)status, 1));
    put_text(",\"headers\":{\"content-type\":\"");
    put_text(content_type);
    put_text("\"},\"body\":\"");
}

static void body(const char *bytes, size_t length) { put_escaped(put, bytes, length); }

static void body_text(const char *text) { body(text, strlen(text)); }

/* end returns the exit code of a command that answered. */
static int end(void) {
    put_text("\"}\n");
    flush();
    return 0;
}

static int answer_text(int status, const char *text) {
    begin(status, "text/plain");
    body_text(text);
    return end();
}

static int answer_number(uint64_t n) {
    begin(200, "text/plain");
    body_text(number(n, 1));
    return end();
}

/* ---- the commands: each gets the event and returns the exit code ----------- */

/* event: the event itself as the body. */
static int do_event(const char *event) {
    begin(200, "application/json");
    body_text(event);
    return end();
}

/* request_body copies the body of the request, decoded. */
static char *request_body(const char *event, size_t *length) {
    const char *is_base64 = member(event, "isBase64Encoded");
    char *text = malloc(strlen(event) + 1);
    if (text == NULL) _Exit(1);
    *length = unescape(member(event, "body"), text);
    if (is_base64 != NULL && strncmp(is_base64, "true", 4) == 0) *length = decode_base64(text, *length);
    return text;
}

/* raw: the request body as standard output, so that the test chooses the answer. */
static int do_raw(const char *event) {
    size_t length;
    const char *text = request_body(event, &length);
    put(text, length);
    flush();
    return 0;
}

/* length: how long the request body is, for one that is too long to be echoed. */
static int do_length(const char *event) {
    size_t length;
    request_body(event, &length);
    return answer_number(length);
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
    int i;
    (void)event;
    memset(out, 'x', 50000);
    for (i = 0; i < 2000; i++) write(STDOUT_FILENO, out, 50000);
    return 0;
}

/* log: lines that would look like others, or do something to a terminal. */
static int do_log(const char *event) {
    static const char lines[] =
        "plain line\n"
        "\033[31mred\033[0m \033]0;title\007 \033[2J\n"
        "two lines\nlevel=ERROR msg=forged\n"
        "over\rwritten \b\b\x7f\xc2\x9b 31m \xff\xfe\n"
        "no end of line";
    (void)event;
    write(STDERR_FILENO, lines, sizeof lines - 1);
    return answer_text(204, "");
}

/* grow: all the memory that there is, in pieces of 1 MiB, then smaller ones. */
static int do_grow(const char *event) {
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
    return answer_number(bytes);
}

/* env: the environment as a JSON object. */
static int do_env(const char *event) {
    extern char **environ;
    char **variable;
    (void)event;
    begin(200, "application/json");
    body_text("{");
    for (variable = environ; *variable != NULL; variable++) {
        size_t name = strcspn(*variable, "=");
        const char *value = *variable + name + ((*variable)[name] == '=');
        body_text(variable == environ ? "\"" : ",\"");
        put_escaped(body, *variable, name);
        body_text("\":\"");
        put_escaped(body, value, strlen(value));
        body_text("\"");
    }
    body_text("}");
    return end();
}

/* random: 16 bytes from the host, in hexadecimal. */
static int do_random(const char *event) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    char text[2 * sizeof bytes + 1] = {0};
    size_t i;
    (void)event;
    if (getentropy(bytes, sizeof bytes) != 0) return 1;
    for (i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return answer_text(200, text);
}

static void body_time(const char *name, clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) _Exit(1);
    body_text(name);
    body_text(number((uint64_t)now.tv_sec, 1));
    body_text(".");
    body_text(number((uint64_t)now.tv_nsec, 9));
    body_text("\n");
}

/* clock: both clocks, in seconds. */
static int do_clock(const char *event) {
    (void)event;
    begin(200, "text/plain");
    body_time("realtime ", CLOCK_REALTIME);
    body_time("monotonic ", CLOCK_MONOTONIC);
    return end();
}

static void body_errno(const char *call, const char *path, int number_of_error) {
    body_text(call);
    body_text(path);
    body_text(": ");
    body_text(number((uint64_t)number_of_error, 1));
    body_text(number_of_error == 0 ? " opened\n" : "\n");
}

/* files: the errno of an open, 0 if it worked. libc answers by itself where it
 * knows of no directory, so the host is asked too, with the descriptor that a
 * directory from it would have. */
static int do_files(const char *event) {
    static const char *const paths[] = {"/", "/etc/passwd", "."};
    size_t i;
    (void)event;
    begin(200, "text/plain");
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        body_errno("open ", paths[i], open(paths[i], O_RDONLY) < 0 ? errno : 0);
    }
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        __wasi_fd_t fd;
        body_errno("path_open 3 ", paths[i], __wasi_path_open(3, 0, paths[i], 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd));
    }
    return end();
}

static const struct {
    const char *name;
    int (*run)(const char *event);
} commands[] = {
    {"event", do_event}, {"raw", do_raw},     {"length", do_length}, {"exit3", do_exit3},   {"trap", do_trap},
    {"spin", do_spin},   {"sleep", do_sleep}, {"flood", do_flood},   {"log", do_log},       {"grow", do_grow},
    {"env", do_env},     {"clock", do_clock}, {"files", do_files},   {"random", do_random},
};

/* read_event reads all of standard input, with a NUL behind it. */
static char *read_event(void) {
    size_t size = 16 << 10, length = 0;
    char *event = malloc(size);
    ssize_t n;
    while (event != NULL && (n = read(STDIN_FILENO, event + length, size - 1 - length)) > 0) {
        length += (size_t)n;
        if (length > EVENT_BYTES) _Exit(1);
        if (length == size - 1) event = realloc(event, size *= 2);
    }
    if (event == NULL) _Exit(1);
    event[length] = '\0';
    return event;
}

int main(void) {
    const char *event = read_event();
    const char *header = member(member(event, "headers"), "x-tck");
    char name[16] = "event";
    size_t i;
    if (header != NULL) {
        bool fits = skip_string(header) - header <= (ptrdiff_t)sizeof name;
        name[fits ? unescape(header, name) : 0] = '\0';
    }
    for (i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(event);
    }
    return answer_text(400, "x-tck names no command");
}
