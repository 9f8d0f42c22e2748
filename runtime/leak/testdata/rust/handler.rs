//! Asks state.rs as a handler. It is the macro cloche::handler written out, as
//! that has no room for an initialization.
mod state;

use cloche::{Request, Response};

#[no_mangle]
extern "C" fn _initialize() {
    cloche::guest::initialize();
    state::initialize();
}

#[no_mangle]
extern "C" fn handle_request() -> u64 {
    cloche::guest::handle_request(serve)
}

#[no_mangle]
extern "C" fn handle_response(_context: u32, _is_error: u32) {}

fn serve(request: &mut Request, response: &mut Response) {
    let header = |name| request.header(name).unwrap_or_default();
    let mut guest = state::Guest::new(&header("x-do"), &header("x-secret"));
    guest.work();
    response.send(200, "text/plain", &guest.answer);
    guest.finish();
}
