/*
 * cloche.h is what a function written in C includes. C99, one header, no
 * library of its own. It knows two kinds of functions:
 *
 * A handler answers requests one after the other in the same instance. It
 * needs no allocator and, built without libc, is a few hundred bytes of wasm:
 *
 *     #include "cloche.h"
 *     static void hello(void) { cloche_send(200, "text/plain", "hello"); }
 *     CLOCHE_HANDLER(hello)
 *
 * A command is a program that runs once per event: the event's JSON on standard
 * input, the answer's on standard output, the log on standard error. Its part
 * of this header needs libc and is there if CLOCHE_COMMAND is defined:
 *
 *     #define CLOCHE_COMMAND
 *     #include "cloche.h"
 *     int main(void) { return cloche_answer(200, "text/plain", "hello", 5); }
 *
 * Whatever a call leaves behind in memory is gone at the next one.
 *
 * In a native build the handler's imports are a host in memory, cloche_test, so
 * that a test can call the handler; see the end of the handler's part.
 */
#ifndef CLOCHE_H
#define CLOCHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- handler: what the host offers, as the http-wasm handler ABI says ------
 *
 * https://http-wasm.io/http-handler-abi/. A kind is 0 for the request and 1 for
 * the response. get_* return the length of the value and write it only if it is
 * at most limit. get_header_* return a count in the upper and a length in the
 * lower 32 bits; each value ends in a NUL. read_body returns 1 in the upper 32
 * bits at the end of the body, and the bytes read in the lower; a limit of 0
 * is a trap.
 */
#ifdef __wasm__
#define CLOCHE_IMPORT_FROM(module, name) __attribute__((import_module(module), import_name(name))) extern
#define CLOCHE_EXPORT(name) __attribute__((export_name(name)))
#else
#define CLOCHE_IMPORT_FROM(module, name) static inline
#define CLOCHE_EXPORT(name)
#endif
#define CLOCHE_IMPORT(name) CLOCHE_IMPORT_FROM("http_handler", name)

CLOCHE_IMPORT("log") void cloche_host_log(int32_t level, const char *message, uint32_t length);
CLOCHE_IMPORT("get_method") uint32_t cloche_host_get_method(char *buf, uint32_t limit);
CLOCHE_IMPORT("get_uri") uint32_t cloche_host_get_uri(char *buf, uint32_t limit);
CLOCHE_IMPORT("get_source_addr") uint32_t cloche_host_get_source_addr(char *buf, uint32_t limit);
CLOCHE_IMPORT("get_header_names") uint64_t cloche_host_get_header_names(uint32_t kind, char *buf, uint32_t limit);
CLOCHE_IMPORT("get_header_values") uint64_t cloche_host_get_header_values(
    uint32_t kind, const char *name, uint32_t name_length, char *buf, uint32_t limit);
CLOCHE_IMPORT("read_body") uint64_t cloche_host_read_body(uint32_t kind, void *buf, uint32_t limit);
CLOCHE_IMPORT("set_status_code") void cloche_host_set_status_code(uint32_t code);
CLOCHE_IMPORT("set_header_value") void cloche_host_set_header_value(
    uint32_t kind, const char *name, uint32_t name_length, const char *value, uint32_t value_length);
CLOCHE_IMPORT("add_header_value") void cloche_host_add_header_value(
    uint32_t kind, const char *name, uint32_t name_length, const char *value, uint32_t value_length);
CLOCHE_IMPORT("write_body") void cloche_host_write_body(uint32_t kind, const void *body, uint32_t length);

enum { CLOCHE_REQUEST = 0, CLOCHE_RESPONSE = 1 };

/* CLOCHE_HANDLER makes `void function(void)` the function of this guest. */
#define CLOCHE_HANDLER(function)                                                       \
    CLOCHE_EXPORT("handle_request") uint64_t cloche_handle_request(void);              \
    CLOCHE_EXPORT("handle_request") uint64_t cloche_handle_request(void) {             \
        function();                                                                    \
        return 0; /* there is no next handler */                                       \
    }                                                                                  \
    CLOCHE_EXPORT("handle_response") void cloche_handle_response(uint32_t, uint32_t);  \
    CLOCHE_EXPORT("handle_response") void cloche_handle_response(uint32_t context, uint32_t is_error) { \
        (void)context;                                                                 \
        (void)is_error;                                                                \
    }

/* ---- handler: the request --------------------------------------------------
 *
 * Each of these copies a value into buf, which has room for size bytes, and ends
 * it with a NUL. They return the length of the value without that NUL, so a
 * result of size or more says that it did not fit; buf is then the empty string.
 */

static inline size_t cloche_length(const char *s) {
    size_t length = 0;
    while (s[length] != '\0') length++;
    return length;
}

static inline size_t cloche_ended(char *buf, size_t size, size_t length) {
    if (size > 0) buf[length < size ? length : 0] = '\0';
    return length;
}

/* cloche_method gets the method as the client sent it, such as "GET". */
static inline size_t cloche_method(char *buf, size_t size) {
    return cloche_ended(buf, size, cloche_host_get_method(buf, size > 0 ? (uint32_t)size - 1 : 0));
}

/* cloche_uri gets the path and query as the client sent them, percent-encoded. */
static inline size_t cloche_uri(char *buf, size_t size) {
    return cloche_ended(buf, size, cloche_host_get_uri(buf, size > 0 ? (uint32_t)size - 1 : 0));
}

/* cloche_remote_addr gets the address of the client as "ip:port". */
static inline size_t cloche_remote_addr(char *buf, size_t size) {
    return cloche_ended(buf, size, cloche_host_get_source_addr(buf, size > 0 ? (uint32_t)size - 1 : 0));
}

/* cloche_header gets the first value of a header, whose case does not matter,
 * and returns -1 if there is none. The other values come behind its NUL, so buf
 * needs room for them too. */
static inline ptrdiff_t cloche_header(const char *name, char *buf, size_t size) {
    uint64_t count_length = cloche_host_get_header_values(
        CLOCHE_REQUEST, name, (uint32_t)cloche_length(name), buf, (uint32_t)size);
    size_t length = (uint32_t)count_length;
    if (count_length >> 32 == 0) {
        cloche_ended(buf, size, 0);
        return -1;
    }
    if (length <= size) return (ptrdiff_t)cloche_length(buf);
    return (ptrdiff_t)cloche_ended(buf, size, length);
}

/* cloche_read reads the next bytes of the body, at most size. It returns how
 * many, and 0 at the end. */
static inline size_t cloche_read(void *buf, size_t size) {
    if (size == 0) return 0;
    return (uint32_t)cloche_host_read_body(CLOCHE_REQUEST, buf, (uint32_t)size);
}

/* cloche_body reads the whole body into buf and returns its length, or -1 if it
 * is longer than size. It adds no NUL. */
static inline ptrdiff_t cloche_body(void *buf, size_t size) {
    size_t length = 0, n;
    char beyond;
    while ((n = cloche_read((char *)buf + length, size - length)) > 0) length += n;
    return cloche_read(&beyond, 1) > 0 ? -1 : (ptrdiff_t)length;
}

/* ---- handler: the response -------------------------------------------------
 *
 * It is 200 without a header or a body until the handler says otherwise. Set the
 * status and the headers before the first byte of the body.
 */

/* cloche_status sets the status code: 200 to 599. */
static inline void cloche_status(int code) { cloche_host_set_status_code((uint32_t)code); }

/* cloche_set_header replaces all values of a header. */
static inline void cloche_set_header(const char *name, const char *value) {
    cloche_host_set_header_value(
        CLOCHE_RESPONSE, name, (uint32_t)cloche_length(name), value, (uint32_t)cloche_length(value));
}

/* cloche_add_header adds a value to a header; each Set-Cookie needs one. */
static inline void cloche_add_header(const char *name, const char *value) {
    cloche_host_add_header_value(
        CLOCHE_RESPONSE, name, (uint32_t)cloche_length(name), value, (uint32_t)cloche_length(value));
}

/* cloche_write appends bytes to the body. */
static inline void cloche_write(const void *body, size_t length) {
    if (length > 0) cloche_host_write_body(CLOCHE_RESPONSE, body, (uint32_t)length);
}

/* cloche_print appends a string to the body. */
static inline void cloche_print(const char *s) { cloche_write(s, cloche_length(s)); }

/* cloche_send answers with a whole text in one call. */
static inline void cloche_send(int status, const char *content_type, const char *body) {
    cloche_status(status);
    cloche_set_header("content-type", content_type);
    cloche_print(body);
}

/* cloche_log writes a line to the function's log. */
enum cloche_level { CLOCHE_DEBUG = -1, CLOCHE_INFO = 0, CLOCHE_WARN = 1, CLOCHE_ERROR = 2 };

static inline void cloche_log(enum cloche_level level, const char *message) {
    cloche_host_log(level, message, (uint32_t)cloche_length(message));
}

/* ---- fetch, for both kinds -------------------------------------------------
 *
 * There is no network but through the host, which calls the functions of the own
 * site at once and other hosts if the site's allow_hosts names them.
 *
 *     int answer = cloche_fetch("POST http://localhost:8888/.netlify/functions/hello\n"
 *                               "content-type: text/plain\n", "42", 2);
 *     if (answer < 0) { ... cloche_fetch_error(buf, sizeof buf); ... }
 *     else if (cloche_fetch_status(answer) == 200) n = cloche_fetch_read(answer, buf, sizeof buf);
 *     if (answer >= 0) cloche_fetch_close(answer);
 */

CLOCHE_IMPORT_FROM("cloche", "fetch") int32_t cloche_host_fetch(
    const char *head, uint32_t head_length, const void *body, uint32_t body_length);
CLOCHE_IMPORT_FROM("cloche", "fetch_status") int32_t cloche_host_fetch_status(int32_t answer);
CLOCHE_IMPORT_FROM("cloche", "fetch_head") uint32_t cloche_host_fetch_head(int32_t answer, char *buf, uint32_t limit);
CLOCHE_IMPORT_FROM("cloche", "fetch_body") uint32_t cloche_host_fetch_body(int32_t answer, void *buf, uint32_t limit);
CLOCHE_IMPORT_FROM("cloche", "fetch_close") void cloche_host_fetch_close(int32_t answer);
CLOCHE_IMPORT_FROM("cloche", "fetch_error") uint32_t cloche_host_fetch_error(char *buf, uint32_t limit);

/* Why there is no answer. */
enum cloche_fetch_code {
    CLOCHE_FETCH_FAILED = -1,    /* the other side could not be reached, or made no sense */
    CLOCHE_FETCH_REFUSED = -2,   /* the function may not call that address */
    CLOCHE_FETCH_INVALID = -3,   /* the request is malformed */
    CLOCHE_FETCH_TOO_LARGE = -4, /* the request or the answer is over a limit */
    CLOCHE_FETCH_BUSY = -5       /* eight answers are open, or the host has no memory */
};

/* cloche_fetch makes a request and waits for the whole answer. head is "METHOD URL"
 * and lines of "name: value"; with " manual" behind the URL a redirect is returned
 * instead of followed. It returns the answer's number, from 0, for the functions
 * below, or a cloche_fetch_code. */
static inline int cloche_fetch(const char *head, const void *body, size_t length) {
    return cloche_host_fetch(head, (uint32_t)cloche_length(head), body, (uint32_t)length);
}

/* cloche_fetch_status is the answer's status, such as 200. */
static inline int cloche_fetch_status(int answer) { return cloche_host_fetch_status(answer); }

/* cloche_fetch_head gets "STATUS URL" and lines of "name: value", names in lower
 * case, as the functions that read the request do. */
static inline size_t cloche_fetch_head(int answer, char *buf, size_t size) {
    return cloche_ended(buf, size, cloche_host_fetch_head(answer, buf, size > 0 ? (uint32_t)size - 1 : 0));
}

/* cloche_fetch_left is how many bytes of the body were not read yet. */
static inline size_t cloche_fetch_left(int answer) { return cloche_host_fetch_body(answer, NULL, 0); }

/* cloche_fetch_read reads the next bytes of the body, at most size. It returns how
 * many, and 0 at the end. */
static inline size_t cloche_fetch_read(int answer, void *buf, size_t size) {
    return size > 0 ? cloche_host_fetch_body(answer, buf, (uint32_t)size) : 0;
}

/* cloche_fetch_close forgets an answer. Those left open go with the call. */
static inline void cloche_fetch_close(int answer) { cloche_host_fetch_close(answer); }

/* cloche_fetch_error gets why the last cloche_fetch had no answer. */
static inline size_t cloche_fetch_error(char *buf, size_t size) {
    return cloche_ended(buf, size, cloche_host_fetch_error(buf, size > 0 ? (uint32_t)size - 1 : 0));
}

/* ---- JSON and base64, for both kinds ---------------------------------------
 *
 * Both write through a function, so that the output may be a body, a file or a
 * test's buffer; cloche_write_body and cloche_write_file are two of them.
 */

typedef void (*cloche_writer)(void *to, const void *bytes, size_t length);

/* cloche_write_body is the writer that appends to a handler's answer. */
static inline void cloche_write_body(void *to, const void *bytes, size_t length) {
    (void)to;
    cloche_write(bytes, length);
}

/* cloche_utf8 reports whether text is UTF-8 as RFC 3629 has it. */
static inline bool cloche_utf8(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0, more;
    while (i < length) {
        unsigned char c = s[i++], low = 0x80, high = 0xbf;
        if (c < 0x80) continue;
        if (c < 0xc2 || c > 0xf4) return false;
        more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        /* No overlong forms, no surrogates, nothing above U+10FFFF. */
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
        for (; more > 0; more--, low = 0x80, high = 0xbf) {
            if (i == length || s[i] < low || s[i] > high) return false;
            i++;
        }
    }
    return true;
}

/* cloche_json writes UTF-8 text as a JSON string, with its quotes. */
static inline void cloche_json(cloche_writer put, void *to, const char *text, size_t length) {
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', 0, 0};
    size_t start = 0, i;
    put(to, "\"", 1);
    for (i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        if (i > start) put(to, text + start, i - start);
        if (c >= 0x20) {
            put(to, "\\", 1);
            start = i;
        } else {
            escape[4] = digits[c >> 4];
            escape[5] = digits[c & 15];
            put(to, escape, sizeof escape);
            start = i + 1;
        }
    }
    if (length > start) put(to, text + start, length - start);
    put(to, "\"", 1);
}

/* cloche_base64 writes bytes as base64, padded. */
static inline void cloche_base64(cloche_writer put, void *to, const void *bytes, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)bytes;
    size_t i;
    for (i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t three = (uint32_t)s[i] << 16;
        char four[4];
        if (left > 1) three |= (uint32_t)s[i + 1] << 8;
        if (left > 2) three |= s[i + 2];
        four[0] = digits[three >> 18];
        four[1] = digits[three >> 12 & 63];
        four[2] = left > 1 ? digits[three >> 6 & 63] : '=';
        four[3] = left > 2 ? digits[three & 63] : '=';
        put(to, four, sizeof four);
    }
}

/* ---- command: event in, answer out ----------------------------------------- */

#ifdef CLOCHE_COMMAND

#include <stdio.h>
#include <stdlib.h>

/* CLOCHE_EVENT_BYTES is the largest event that cloche_event reads: a body of
 * 6 MiB with each byte escaped as \u0000, and 4 MiB for the rest. */
enum { CLOCHE_EVENT_BYTES = 40 << 20 };

/* cloche_event reads the event: all of standard input, with a NUL behind it. It
 * returns NULL if that fails or is larger than CLOCHE_EVENT_BYTES. The caller
 * frees the text. */
static inline char *cloche_event(size_t *length) {
    size_t size = 16 << 10, n = 0;
    char *text = malloc(size), *larger;
    while (text != NULL) {
        n += fread(text + n, 1, size - 1 - n, stdin);
        if (n < size - 1) break;
        larger = size <= CLOCHE_EVENT_BYTES ? realloc(text, size * 2) : NULL;
        if (larger == NULL) free(text);
        text = larger;
        size *= 2;
    }
    if (text != NULL && (ferror(stdin) || n > CLOCHE_EVENT_BYTES)) {
        free(text);
        text = NULL;
    }
    if (text != NULL) {
        text[n] = '\0';
        *length = n;
    }
    return text;
}

/* cloche_write_file is the writer whose `to` is a FILE. */
static inline void cloche_write_file(void *to, const void *bytes, size_t length) {
    fwrite(bytes, 1, length, (FILE *)to);
}

/* cloche_answer writes the answer to standard output, a body that is not UTF-8
 * as base64. Call it once and return its result from main: 0, or 1 if the output
 * could not be written. content_type may be NULL. */
static inline int cloche_answer(int status, const char *content_type, const void *body, size_t length) {
    bool is_text = cloche_utf8((const char *)body, length);
    printf("{\"statusCode\":%d,\"headers\":{", status);
    if (content_type != NULL) {
        fputs("\"content-type\":", stdout);
        cloche_json(cloche_write_file, stdout, content_type, cloche_length(content_type));
    }
    fputs("},\"body\":", stdout);
    if (is_text) {
        cloche_json(cloche_write_file, stdout, (const char *)body, length);
    } else {
        fputs("\"", stdout);
        cloche_base64(cloche_write_file, stdout, body, length);
        fputs("\",\"isBase64Encoded\":true", stdout);
    }
    fputs("}\n", stdout);
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}

#endif /* CLOCHE_COMMAND */

/* ---- handler: a host in memory, for native tests ---------------------------
 *
 *     cloche_test = (struct cloche_test){.method = "POST", .uri = "/?a=1"};
 *     hello();
 *     assert(cloche_test.status == 200);
 *
 * headers is "name: value\n" lines. response_headers gets such lines too, in the
 * order in which they were set; what does not fit is cut off.
 *
 * Each cloche_fetch is answered by fetched_status with fetched_headers and
 * fetched_body; a status below 0 is a code, and 0 is CLOCHE_FETCH_REFUSED. fetch and
 * fetch_body hold what was asked for.
 */
#ifndef __wasm__

struct cloche_test {
    const char *method, *uri, *remote_addr, *headers, *body;
    size_t body_length; /* 0: the length of the string body */
    size_t body_read;
    int status; /* 0: none was set, which stands for 200 */
    char response_headers[4096], response_body[65536], log[4096];
    size_t response_headers_length, response_body_length, log_length;
    int fetched_status;
    const char *fetched_headers, *fetched_body;
    size_t fetched_read;
    char fetch[4096], fetch_body[65536];
};

static struct cloche_test cloche_test;

static inline uint32_t cloche_test_get(const char *value, const char *otherwise, char *buf, uint32_t limit) {
    size_t length, i;
    if (value == NULL) value = otherwise;
    length = cloche_length(value);
    for (i = 0; length <= limit && i < length; i++) buf[i] = value[i];
    return (uint32_t)length;
}

static inline void cloche_test_append(char *to, size_t *length, size_t size, const char *bytes, size_t n) {
    while (n-- > 0 && *length + 1 < size) to[(*length)++] = *bytes++;
    to[*length] = '\0';
}

static inline char cloche_test_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

static inline uint32_t cloche_host_get_method(char *buf, uint32_t limit) {
    return cloche_test_get(cloche_test.method, "GET", buf, limit);
}

static inline uint32_t cloche_host_get_uri(char *buf, uint32_t limit) {
    return cloche_test_get(cloche_test.uri, "/", buf, limit);
}

static inline uint32_t cloche_host_get_source_addr(char *buf, uint32_t limit) {
    return cloche_test_get(cloche_test.remote_addr, "127.0.0.1:1", buf, limit);
}

/* cloche_test_list joins the values of a header, or all names if name is NULL. */
static inline uint64_t cloche_test_list(const char *name, size_t name_length, char *buf, uint32_t limit) {
    const char *line = cloche_test.headers != NULL ? cloche_test.headers : "";
    uint64_t count = 0;
    uint32_t length = 0;
    while (*line != '\0') {
        size_t colon = 0, end, start, stop, i;
        while (line[colon] != ':' && line[colon] != '\n' && line[colon] != '\0') colon++;
        for (end = colon; line[end] != '\n' && line[end] != '\0';) end++;
        start = 0;
        stop = colon;
        if (name != NULL) {
            for (i = 0; i < colon && i < name_length; i++) {
                if (cloche_test_lower(line[i]) != cloche_test_lower(name[i])) break;
            }
            start = line[colon] == ':' ? colon + 1 : colon;
            while (line[start] == ' ') start++;
            stop = i == colon && i == name_length ? end : 0;
        }
        if (stop > 0) {
            for (i = start; i < stop; i++, length++) {
                if (length < limit) buf[length] = name != NULL ? line[i] : cloche_test_lower(line[i]);
            }
            if (length < limit) buf[length] = '\0';
            length++;
            count++;
        }
        line += line[end] == '\n' ? end + 1 : end;
    }
    return count << 32 | length;
}

static inline uint64_t cloche_host_get_header_names(uint32_t kind, char *buf, uint32_t limit) {
    (void)kind;
    return cloche_test_list(NULL, 0, buf, limit);
}

static inline uint64_t cloche_host_get_header_values(
    uint32_t kind, const char *name, uint32_t name_length, char *buf, uint32_t limit) {
    (void)kind;
    return cloche_test_list(name, name_length, buf, limit);
}

static inline uint64_t cloche_host_read_body(uint32_t kind, void *buf, uint32_t limit) {
    const char *body = cloche_test.body != NULL ? cloche_test.body : "";
    size_t length = cloche_test.body_length > 0 ? cloche_test.body_length : cloche_length(body);
    uint32_t n = 0;
    (void)kind;
    while (n < limit && cloche_test.body_read < length) ((char *)buf)[n++] = body[cloche_test.body_read++];
    return (n < limit ? UINT64_C(1) << 32 : 0) | n;
}

static inline void cloche_host_set_status_code(uint32_t code) { cloche_test.status = (int)code; }

static inline void cloche_host_add_header_value(
    uint32_t kind, const char *name, uint32_t name_length, const char *value, uint32_t value_length) {
    char *to = cloche_test.response_headers;
    size_t *length = &cloche_test.response_headers_length, size = sizeof cloche_test.response_headers;
    (void)kind;
    cloche_test_append(to, length, size, name, name_length);
    cloche_test_append(to, length, size, ": ", 2);
    cloche_test_append(to, length, size, value, value_length);
    cloche_test_append(to, length, size, "\n", 1);
}

static inline void cloche_host_set_header_value(
    uint32_t kind, const char *name, uint32_t name_length, const char *value, uint32_t value_length) {
    cloche_host_add_header_value(kind, name, name_length, value, value_length);
}

static inline void cloche_host_write_body(uint32_t kind, const void *body, uint32_t length) {
    (void)kind;
    cloche_test_append(cloche_test.response_body, &cloche_test.response_body_length,
        sizeof cloche_test.response_body, body, length);
}

static inline void cloche_host_log(int32_t level, const char *message, uint32_t length) {
    (void)level;
    cloche_test_append(cloche_test.log, &cloche_test.log_length, sizeof cloche_test.log, message, length);
    cloche_test_append(cloche_test.log, &cloche_test.log_length, sizeof cloche_test.log, "\n", 1);
}

static inline int32_t cloche_host_fetch(
    const char *head, uint32_t head_length, const void *body, uint32_t body_length) {
    size_t length = 0;
    cloche_test_append(cloche_test.fetch, &length, sizeof cloche_test.fetch, head, head_length);
    length = 0;
    cloche_test_append(cloche_test.fetch_body, &length, sizeof cloche_test.fetch_body, (const char *)body, body_length);
    cloche_test.fetched_read = 0;
    if (cloche_test.fetched_status == 0) return CLOCHE_FETCH_REFUSED;
    return cloche_test.fetched_status < 0 ? cloche_test.fetched_status : 0;
}

static inline int32_t cloche_host_fetch_status(int32_t answer) {
    (void)answer;
    return cloche_test.fetched_status;
}

static inline uint32_t cloche_host_fetch_head(int32_t answer, char *buf, uint32_t limit) {
    char head[4096], digits[] = {
        (char)('0' + cloche_test.fetched_status / 100 % 10), (char)('0' + cloche_test.fetched_status / 10 % 10),
        (char)('0' + cloche_test.fetched_status % 10), ' '};
    size_t length = 0, url = 0, start;
    const char *headers = cloche_test.fetched_headers != NULL ? cloche_test.fetched_headers : "";
    (void)answer;
    while (cloche_test.fetch[url] != ' ' && cloche_test.fetch[url] != '\0') url++;
    start = cloche_test.fetch[url] == ' ' ? ++url : url;
    while (cloche_test.fetch[url] != '\n' && cloche_test.fetch[url] != ' ' && cloche_test.fetch[url] != '\0') url++;
    cloche_test_append(head, &length, sizeof head, digits, sizeof digits);
    cloche_test_append(head, &length, sizeof head, cloche_test.fetch + start, url - start);
    cloche_test_append(head, &length, sizeof head, "\n", 1);
    cloche_test_append(head, &length, sizeof head, headers, cloche_length(headers));
    return cloche_test_get(head, "", buf, limit);
}

static inline uint32_t cloche_host_fetch_body(int32_t answer, void *buf, uint32_t limit) {
    const char *body = cloche_test.fetched_body != NULL ? cloche_test.fetched_body : "";
    uint32_t n = 0;
    (void)answer;
    if (limit == 0) return (uint32_t)cloche_length(body + cloche_test.fetched_read);
    while (n < limit && body[cloche_test.fetched_read] != '\0') ((char *)buf)[n++] = body[cloche_test.fetched_read++];
    return n;
}

static inline void cloche_host_fetch_close(int32_t answer) { (void)answer; }

static inline uint32_t cloche_host_fetch_error(char *buf, uint32_t limit) {
    return cloche_test_get("no answer in a test", "", buf, limit);
}

#endif /* not __wasm__ */

#endif /* CLOCHE_H */
