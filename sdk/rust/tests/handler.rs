//! What a handler sees and says, through `testing::call`.

use cloche::{testing, BodyTooLarge, Request, Response, MAX_BODY_BYTES, MAX_VALUE_BYTES};
use std::io::{Read, Write};

fn hello(request: &mut Request, response: &mut Response) {
    response.send(201, "text/plain", request.method());
}

cloche::handler!(hello);

fn ask(request: testing::Request, look: impl Fn(&mut Request)) {
    testing::call(|request, _| look(request), request);
}

#[test]
fn a_handler_is_called() {
    let response = testing::call(hello, testing::Request::new("PURGE", "/"));
    assert_eq!((response.status, response.text().as_str()), (201, "PURGE"));
    assert_eq!(response.header("Content-Type"), Some("text/plain"));
}

#[test]
fn a_request_says_what_the_client_sent() {
    let request = testing::Request::new("GET", "/a%20b?x=1")
        .header("Accept", "a")
        .header("accept", "b")
        .header("x-empty", "");
    ask(request, |request| {
        assert_eq!(request.uri(), "/a%20b?x=1");
        assert_eq!(request.protocol(), "HTTP/1.1");
        assert_eq!(request.remote_addr(), "127.0.0.1:1");
        assert_eq!(request.header("ACCEPT").as_deref(), Some("a"));
        assert_eq!(request.header_values("accept"), ["a", "b"]);
        assert_eq!(request.header("x-empty").as_deref(), Some(""));
        assert_eq!(request.header("x-missing"), None);
        assert_eq!(request.header(""), None);
        assert_eq!(request.header_names(), ["accept", "accept", "x-empty"]);
    });
}

#[test]
fn values_around_the_size_of_the_first_buffer() {
    for length in [255, 256, 257, MAX_VALUE_BYTES] {
        let uri = "u".repeat(length);
        let value = "v".repeat(length - 1);
        ask(testing::Request::new("GET", &uri).header("x", &value), |request| {
            assert_eq!(request.uri(), uri);
            assert_eq!(request.header("x").as_ref(), Some(&value));
        });
    }
}

#[test]
#[should_panic(expected = "1048577 bytes")]
fn an_endless_value_is_refused() {
    ask(testing::Request::new("GET", &"u".repeat(MAX_VALUE_BYTES + 1)), |request| {
        request.uri();
    });
}

#[test]
fn a_query_is_decoded() {
    for (uri, want) in [
        ("/", None),
        ("/?", None),
        ("/?q=1&q=2", Some("1")),
        ("/?q=a+b", Some("a b")),
        ("/?q=%F0%9F%98%8E%2b", Some("😎+")),
        ("/?q=%zz%4", Some("%zz%4")),
        ("/?q=%+1%", Some("% 1%")),
        ("/?p=1;q=2", None),
        ("/?q&x", Some("")),
        ("/?%71=1", Some("1")),
        ("/?q=a?b", Some("a?b")),
        ("/?q=%ff", Some("\u{fffd}")),
    ] {
        ask(testing::Request::new("GET", uri), |request| {
            assert_eq!(request.query("q").as_deref(), want, "{}", uri);
        });
    }
}

#[test]
fn a_body_is_read_whole() {
    for length in [0, 1, 4095, 4096, 4097, 100_000, MAX_BODY_BYTES] {
        let body = vec![b'b'; length];
        ask(testing::Request::new("POST", "/").body(body.clone()), |request| {
            assert!(request.body().as_ref() == Ok(&body), "{} bytes", length);
        });
    }
    let too_large = testing::Request::new("POST", "/").body(vec![0; MAX_BODY_BYTES + 1]);
    ask(too_large, |request| assert_eq!(request.body(), Err(BodyTooLarge)));
}

#[test]
fn a_body_is_read_in_parts() {
    ask(testing::Request::new("POST", "/").body("stream"), |request| {
        let mut part = [0; 4];
        assert_eq!(request.read(&mut part).unwrap(), 4);
        assert_eq!(request.read(&mut []).unwrap(), 0);
        let mut rest = String::new();
        request.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "am");
    });
}

#[test]
fn a_response_is_what_the_handler_said() {
    let response = testing::call(
        |_, response| {
            response.add_header("Set-Cookie", "a=1");
            response.add_header("set-cookie", "b=2");
            response.set_header("X-One", "1");
            response.set_header("x-one", "2");
            response.set_header("X-Gone", "1");
            response.remove_header("x-gone");
            response.write_all(b"body").unwrap();
        },
        testing::Request::new("GET", "/"),
    );
    let headers: Vec<_> = response.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(headers, [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-one", "2")]);
    assert_eq!((response.status, response.text().as_str()), (200, "body"));
}

#[test]
fn a_function_fetches_what_a_test_says() {
    let get = cloche::Fetch::get("http://a/");
    assert_eq!(cloche::fetch(&get).unwrap_err().code, -2);
    testing::answer_fetches(|request| {
        Ok(cloche::Fetched { status: 201, body: request.url.clone().into(), ..Default::default() })
    });
    let answer = cloche::fetch(&get).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (201, "http://a/"));
}
