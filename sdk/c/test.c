/* The tests of cloche.h, natively: ./test.sh builds and runs them. */
#define CLOCHE_COMMAND
#include "cloche.h"

#include <string.h>

static int failed;

static void check(const char *what, const char *got, const char *want) {
    if (strcmp(got, want) == 0) return;
    printf("%s: got \"%s\", want \"%s\"\n", what, got, want);
    failed++;
}

static void check_number(const char *what, long got, long want) {
    if (got == want) return;
    printf("%s: got %ld, want %ld\n", what, got, want);
    failed++;
}

/* A function as a user would write it. */
static void shout(void) {
    char method[16], name[8], body[8];
    ptrdiff_t n = cloche_body(body, sizeof body);
    cloche_method(method, sizeof method);
    if (cloche_header("X-Name", name, sizeof name) < 0) {
        cloche_log(CLOCHE_WARN, "no name");
        cloche_send(400, "text/plain", "who are you?");
        return;
    }
    cloche_status(201);
    cloche_add_header("set-cookie", "a=1");
    cloche_print(method);
    cloche_print(" ");
    cloche_print(name);
    if (n >= 0) cloche_write(body, (size_t)n);
    cloche_json(cloche_write_body, NULL, "!", 1);
}
CLOCHE_HANDLER(shout)

static void test_handler(void) {
    cloche_test = (struct cloche_test){.method = "POST", .headers = "A: b\nx-NAME: Ada\n", .body = "42"};
    check_number("next", (long)cloche_handle_request(), 0);
    cloche_handle_response(0, 0);
    check_number("status", cloche_test.status, 201);
    check("body", cloche_test.response_body, "POST Ada42\"!\"");
    check("headers", cloche_test.response_headers, "set-cookie: a=1\n");

    cloche_test = (struct cloche_test){0};
    cloche_handle_request();
    check_number("status without a name", cloche_test.status, 400);
    check("body without a name", cloche_test.response_body, "who are you?");
    check("headers without a name", cloche_test.response_headers, "content-type: text/plain\n");
    check("log without a name", cloche_test.log, "no name\n");
}

static void test_values(void) {
    char buf[8];
    cloche_test = (struct cloche_test){.uri = "/123456", .headers = "One: 1\nTwo: a\nTwo: b\nEmpty:\nLong: 12345678\n"};
    check_number("a value that fits", (long)cloche_uri(buf, sizeof buf), 7);
    check("a value that fits", buf, "/123456");
    check_number("a value that does not fit", (long)cloche_uri(buf, 7), 7);
    check("a value that does not fit", buf, "");
    check_number("a value without room", (long)cloche_uri(buf, 0), 7);
    check_number("address", (long)cloche_remote_addr(buf, sizeof buf), 11);
    check_number("a missing header", (long)cloche_header("three", buf, sizeof buf), -1);
    check("a missing header", buf, "");
    check_number("an empty header", (long)cloche_header("empty", buf, sizeof buf), 0);
    check_number("a header in another case", (long)cloche_header("ONE", buf, sizeof buf), 1);
    check("a header in another case", buf, "1");
    check_number("the first of two", (long)cloche_header("two", buf, sizeof buf), 1);
    check("the first of two", buf, "a");
    check_number("a header that does not fit", (long)cloche_header("long", buf, sizeof buf), 9);
    check("a header that does not fit", buf, "");
    check_number("header names", (long)(cloche_host_get_header_names(0, buf, 0) >> 32), 5);
}

static void test_body(void) {
    char buf[8];
    cloche_test = (struct cloche_test){.body = "12345678"};
    check_number("a body that fits", (long)cloche_body(buf, 8), 8);
    cloche_test = (struct cloche_test){.body = "12345678"};
    check_number("a body that does not fit", (long)cloche_body(buf, 7), -1);
    cloche_test = (struct cloche_test){.body = "a\0b", .body_length = 3};
    check_number("a part", (long)cloche_read(buf, 2), 2);
    check_number("the rest", (long)cloche_read(buf, 2), 1);
    check_number("the end", (long)cloche_read(buf, 2), 0);
    cloche_test = (struct cloche_test){0};
    check_number("no body", (long)cloche_body(buf, 0), 0);
}

static void test_fetch(void) {
    char buf[32];
    int answer;
    cloche_test = (struct cloche_test){.fetched_status = 201, .fetched_headers = "a: b\n", .fetched_body = "pong!"};
    answer = cloche_fetch("PUT http://a/ manual\nb: c\n", "ping", 4);
    check_number("an answer", answer, 0);
    check("what was asked", cloche_test.fetch, "PUT http://a/ manual\nb: c\n");
    check("what was sent", cloche_test.fetch_body, "ping");
    check_number("status", cloche_fetch_status(answer), 201);
    check_number("head", (long)cloche_fetch_head(answer, buf, sizeof buf), 19);
    check("head", buf, "201 http://a/\na: b\n");
    check_number("a head that does not fit", (long)cloche_fetch_head(answer, buf, 19), 19);
    check("a head that does not fit", buf, "");
    check_number("part of a body", (long)cloche_fetch_read(answer, buf, 4), 4);
    check_number("what is left", (long)cloche_fetch_left(answer), 1);
    check_number("the rest", (long)cloche_fetch_read(answer, buf, sizeof buf), 1);
    check_number("the end", (long)cloche_fetch_read(answer, buf, sizeof buf), 0);
    cloche_fetch_close(answer);

    cloche_test = (struct cloche_test){0};
    check_number("a refusal", cloche_fetch("GET http://a/\n", NULL, 0), CLOCHE_FETCH_REFUSED);
    check_number("its reason", (long)cloche_fetch_error(buf, sizeof buf), 19);
    check("its reason", buf, "no answer in a test");
}

struct text {
    char bytes[256];
    size_t length;
};

static void put_text(void *to, const void *bytes, size_t length) {
    struct text *text = to;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void test_json(void) {
    static const struct { const char *text; size_t length; const char *want; } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\xf0\x9f\x98\x8e", 4, "\"\xf0\x9f\x98\x8e\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\n\0\x1f\x7f", 4, "\"\\u000a\\u0000\\u001f\x7f\""},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text got = {{0}, 0};
        cloche_json(put_text, &got, cases[i].text, cases[i].length);
        check("json", got.bytes, cases[i].want);
    }
}

static void test_base64(void) {
    static const char *const cases[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd\xfc", "//79/A=="},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text got = {{0}, 0};
        cloche_base64(put_text, &got, cases[i][0], strlen(cases[i][0]));
        check("base64", got.bytes, cases[i][1]);
    }
}

static void test_utf8(void) {
    static const char *const good[] = {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x8e", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80"};
    static const char *const bad[] = {"\x80", "\xff", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3("};
    size_t i;
    for (i = 0; i < sizeof good / sizeof *good; i++) check_number(good[i], cloche_utf8(good[i], strlen(good[i])), 1);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) check_number(bad[i], cloche_utf8(bad[i], strlen(bad[i])), 0);
}

/* With an argument the program is a command, which test.sh feeds. */
static int command(void) {
    size_t length;
    char *event = cloche_event(&length);
    int result = event != NULL ? cloche_answer(200, "text/plain", event, length) : 1;
    free(event);
    return result;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return command();
    test_handler();
    test_values();
    test_body();
    test_fetch();
    test_json();
    test_base64();
    test_utf8();
    puts(failed == 0 ? "ok" : "FAIL");
    return failed == 0 ? 0 : 1;
}
