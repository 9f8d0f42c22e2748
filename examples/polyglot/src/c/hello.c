/* A handler in C, with cloche.h and without libc. */
#include "../../../../sdk/c/cloche.h"

static void hello(void) {
    cloche_send(200, "application/json", "{\"message\":\"Serverless Functions are cool! 😎 Hello from C.\"}");
}
CLOCHE_HANDLER(hello)
