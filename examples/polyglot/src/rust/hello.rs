//! A handler in Rust.

use cloche::{Request, Response};

const HELLO: &str = r#"{"message":"Serverless Functions are cool! 😎 Hello from Rust."}"#;

fn hello(_: &mut Request, response: &mut Response) {
    response.send(200, "application/json", HELLO);
}

cloche::handler!(hello);

#[cfg(test)]
mod tests {
    use super::*;
    use cloche::testing;

    #[test]
    fn hello_is_from_rust() {
        let response = testing::call(hello, testing::Request::new("GET", "/"));
        assert_eq!((response.status, response.text().as_str()), (200, HELLO));
    }
}
