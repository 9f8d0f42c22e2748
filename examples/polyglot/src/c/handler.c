/*
 * A handler in C that uses nothing: no SDK, no libc, no WASI. It answers with
 * the method and the URI of the request, and then with its body, and shows the
 * few imports and exports that the http-wasm handler ABI consists of.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(name) __attribute__((import_module("http_handler"), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("get_method") u32 get_method(char *buf, u32 limit);
IMPORT("get_uri") u32 get_uri(char *buf, u32 limit);
IMPORT("read_body") u64 read_body(u32 kind, char *buf, u32 limit);
IMPORT("set_header_value") void set_header_value(
    u32 kind, const char *name, u32 name_length, const char *value, u32 value_length);
IMPORT("set_status_code") void set_status_code(u32 code);
IMPORT("write_body") void write_body(u32 kind, const char *body, u32 length);

enum { REQUEST, RESPONSE };

static char buf[8192];

/* A value longer than the buffer is not written; its length says so. */
static void write_value(u32 length) {
    if (length <= sizeof buf) {
        write_body(RESPONSE, buf, length);
    } else {
        write_body(RESPONSE, "(too long)", 10);
    }
}

EXPORT("handle_request") u64 handle_request(void) {
    u64 read;
    set_status_code(200);
    set_header_value(RESPONSE, "content-type", 12, "text/plain; charset=utf-8", 25);
    write_value(get_method(buf, sizeof buf));
    write_body(RESPONSE, " ", 1);
    write_value(get_uri(buf, sizeof buf));
    write_body(RESPONSE, "\n", 1);
    do {
        read = read_body(REQUEST, buf, sizeof buf);
        if ((u32)read > 0) write_body(RESPONSE, buf, (u32)read);
    } while (read >> 32 == 0); /* the upper half is 1 at the end */
    return 0;                  /* 1 would ask for the next handler; there is none */
}

EXPORT("handle_response") void handle_response(u32 context, u32 is_error) {
    (void)context;
    (void)is_error;
}
