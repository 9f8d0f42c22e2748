//! The command: an event on standard input, an answer on standard output.

use crate::json::{push_string, Reader};
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read, Write},
};

/// The largest event that [`run`] reads: a body of 6 MiB with each byte escaped
/// as `\u0000`, and 4 MiB for the rest.
pub const MAX_EVENT_BYTES: u64 = (6 * 6 + 4) << 20;

/// Answers the event on standard input with the result of `function` and
/// returns; a program has nothing to do after it.
///
/// An error ends the program with exit code 1 and the error on standard error,
/// and the client gets a 502. A background function that ends so is tried again.
pub fn run<E: fmt::Display>(function: impl FnOnce(Event) -> Result<Answer, E>) {
    if let Err(error) = answer(function, io::stdin(), io::stdout()) {
        eprintln!("cloche: {}", error);
        std::process::exit(1);
    }
}

fn answer<E: fmt::Display>(
    function: impl FnOnce(Event) -> Result<Answer, E>,
    input: impl Read,
    mut output: impl Write,
) -> Result<(), String> {
    let mut event = Vec::new();
    input
        .take(MAX_EVENT_BYTES + 1)
        .read_to_end(&mut event)
        .map_err(|e| format!("read event: {}", e))?;
    if event.len() as u64 > MAX_EVENT_BYTES {
        return Err("event too large".into());
    }
    let event = Event::parse(&event).map_err(|e| e.to_string())?;
    let answer = function(event).map_err(|e| e.to_string())?;
    output
        .write_all(answer.to_json().as_bytes())
        .and_then(|()| output.flush())
        .map_err(|e| format!("write answer: {}", e))
}

/// One HTTP request, or what stands for one in a background or scheduled call,
/// with the meaning that Netlify gives it:
/// <https://docs.netlify.com/build/functions/lambda-compatibility/>.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The URL as the client sent it, with scheme and host.
    pub raw_url: String,
    /// Its query, undecoded, without "?".
    pub raw_query: String,
    /// The client's path, percent-encoded, whatever was rewritten.
    pub path: String,
    pub method: String,
    /// By lower-case name; repeated ones are joined with ", ".
    pub headers: BTreeMap<String, String>,
    pub multi_value_headers: BTreeMap<String, Vec<String>>,
    /// Decoded; repeated ones are joined with ", ".
    pub query: BTreeMap<String, String>,
    pub multi_value_query: BTreeMap<String, Vec<String>>,
    /// As the client sent it: base64 is decoded.
    pub body: Vec<u8>,
}

impl Event {
    /// Reads the JSON of an event. Members that it does not know are skipped.
    pub fn parse(json: &[u8]) -> Result<Event, InvalidEvent> {
        let json = std::str::from_utf8(json).map_err(|_| InvalidEvent("UTF-8"))?;
        let mut event = Event::default();
        let (mut body, mut is_base64) = (String::new(), false);
        let mut reader = Reader::new(json);
        let members = reader.object(|reader, key| {
            match key.as_str() {
                "rawUrl" => event.raw_url = reader.string()?,
                "rawQuery" => event.raw_query = reader.string()?,
                "path" => event.path = reader.string()?,
                "httpMethod" => event.method = reader.string()?,
                "headers" => event.headers = strings(reader)?,
                "multiValueHeaders" => event.multi_value_headers = lists(reader)?,
                "queryStringParameters" => event.query = strings(reader)?,
                "multiValueQueryStringParameters" => event.multi_value_query = lists(reader)?,
                "body" => body = reader.string()?,
                "isBase64Encoded" => is_base64 = reader.boolean()?,
                _ => reader.skip()?,
            }
            Ok(())
        });
        members.and_then(|()| reader.end()).map_err(InvalidEvent)?;
        event.body = if is_base64 {
            base64::decode(&body).ok_or(InvalidEvent("base64 in the body"))?
        } else {
            body.into_bytes()
        };
        Ok(event)
    }

    /// The value of a header. The case of its name does not matter. A background
    /// call has `x-cloche-job` and `x-cloche-attempt` (1, 2, 3).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

fn strings(reader: &mut Reader) -> Result<BTreeMap<String, String>, &'static str> {
    let mut map = BTreeMap::new();
    reader.object(|reader, key| {
        map.insert(key, reader.string()?);
        Ok(())
    })?;
    Ok(map)
}

fn lists(reader: &mut Reader) -> Result<BTreeMap<String, Vec<String>>, &'static str> {
    let mut map = BTreeMap::new();
    reader.object(|reader, key| {
        let mut values = Vec::new();
        reader.array(|reader| {
            values.push(reader.string()?);
            Ok(())
        })?;
        map.insert(key, values);
        Ok(())
    })?;
    Ok(map)
}

/// What was expected where an event is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidEvent(&'static str);

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "invalid event: expected {}", self.0)
    }
}

impl std::error::Error for InvalidEvent {}

/// The answer to an [`Event`].
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// In any order; a name may come more than once.
    pub headers: Vec<(String, String)>,
    /// Leaves as base64 if it is not UTF-8.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without a header or a body.
    pub fn new(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer in plain text.
    pub fn text(status: u16, body: &str) -> Answer {
        Answer::new(status).header("content-type", "text/plain; charset=utf-8").body(body)
    }

    /// An answer whose body is JSON already.
    pub fn json(status: u16, body: &str) -> Answer {
        Answer::new(status).header("content-type", "application/json").body(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self
    }

    /// The JSON that the host reads.
    pub fn to_json(&self) -> String {
        let mut json = format!("{{\"statusCode\":{},\"multiValueHeaders\":{{", self.status);
        self.push_headers(&mut json);
        json.push_str("},\"body\":");
        match std::str::from_utf8(&self.body) {
            Ok(text) => push_string(&mut json, text),
            Err(_) => {
                push_string(&mut json, &base64::encode(&self.body));
                json.push_str(",\"isBase64Encoded\":true");
            }
        }
        json.push_str("}\n");
        json
    }

    fn push_headers(&self, json: &mut String) {
        let mut grouped = BTreeMap::<String, Vec<&str>>::new();
        for (name, value) in &self.headers {
            grouped.entry(name.to_ascii_lowercase()).or_default().push(value);
        }
        for (i, (name, values)) in grouped.iter().enumerate() {
            json.push_str(if i > 0 { "," } else { "" });
            push_string(json, name);
            for (j, value) in values.iter().enumerate() {
                json.push_str(if j > 0 { "," } else { ":[" });
                push_string(json, value);
            }
            json.push(']');
        }
    }
}

mod base64 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub fn encode(bytes: &[u8]) -> String {
        let mut text = String::with_capacity((bytes.len() + 2) / 3 * 4);
        for three in bytes.chunks(3) {
            let mut word = [0; 4];
            word[1..1 + three.len()].copy_from_slice(three);
            let word = u32::from_be_bytes(word);
            for i in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
                text.push(if i <= three.len() { digit as char } else { '=' });
            }
        }
        text
    }

    /// Takes padded and unpadded text, and nothing else.
    pub fn decode(text: &str) -> Option<Vec<u8>> {
        let digits = text.trim_end_matches('=').as_bytes();
        let padding = text.len() - digits.len();
        if digits.len() % 4 == 1 || padding > 0 && (padding > 2 || text.len() % 4 != 0) {
            return None;
        }
        let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
        for four in digits.chunks(4) {
            let mut word = 0;
            for i in 0..4 {
                word = word << 6 | four.get(i).map_or(Some(0), |&digit| value(digit))?;
            }
            bytes.extend_from_slice(&u32::to_be_bytes(word)[1..four.len()]);
        }
        Some(bytes)
    }

    fn value(digit: u8) -> Option<u32> {
        Some(u32::from(match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn both_ways() {
            for (bytes, text) in [
                (&b""[..], ""),
                (b"f", "Zg=="),
                (b"fo", "Zm8="),
                (b"foo", "Zm9v"),
                (b"\xff\xfe\xfd\xfc", "//79/A=="),
            ] {
                assert_eq!(encode(bytes), text);
                assert_eq!(decode(text).as_deref(), Some(bytes));
                assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes));
            }
        }

        #[test]
        fn what_is_no_base64() {
            for text in ["A", "A===", "AA=", "AAA==", "AAAA=", "AA*A", "=AAA", "ü"] {
                assert_eq!(decode(text), None, "{:?}", text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#" {"rawUrl":"http://h/a%20b?q=1&q=2","rawQuery":"q=1&q=2","path":"/a%20b",
        "httpMethod":"POST","headers":{"content-type":"image/png"},"multiValueHeaders":{"Accept":["a","b"]},
        "queryStringParameters":{"q":"1, 2"},"multiValueQueryStringParameters":{"q":["1","2"]},
        "body":"AP8=","isBase64Encoded":true,"blobs":[{"any":-1.5e3},[],{},null,true,"x"]} "#;

    #[test]
    fn an_event_is_read() {
        let event = Event::parse(EVENT.as_bytes()).unwrap();
        assert_eq!(event.raw_url, "http://h/a%20b?q=1&q=2");
        assert_eq!(event.raw_query, "q=1&q=2");
        assert_eq!(event.path, "/a%20b");
        assert_eq!(event.method, "POST");
        assert_eq!(event.header("Content-Type"), Some("image/png"));
        assert_eq!(event.header("x-missing"), None);
        assert_eq!(event.multi_value_headers["Accept"], ["a", "b"]);
        assert_eq!(event.query("q"), Some("1, 2"));
        assert_eq!(event.multi_value_query["q"], ["1", "2"]);
        assert_eq!(event.body, [0, 255]);
    }

    #[test]
    fn nulls_are_empty() {
        let event = Event::parse(br#"{"body":null,"headers":null,"isBase64Encoded":null}"#);
        assert_eq!(event, Ok(Event::default()));
    }

    #[test]
    fn strings_are_unescaped() {
        for (json, want) in [
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u0041\u00fc\u20AC""#, "Aü€"),
            (r#""\ud83d\ude0e 😎""#, "😎 😎"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude0e\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude0e""#, "\u{fffd}😎"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(Reader::new(json).string().as_deref(), Ok(want), "{}", json);
        }
    }

    #[test]
    fn what_is_no_event() {
        for json in [
            "",
            "[]",
            "{",
            "{}}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{1:2}",
            "{\"path\":1}",
            "{\"path\":\"\n\"}",
            "{\"path\":\"\\x\"}",
            "{\"path\":\"\\u12\"}",
            "{\"path\":\"\\u12g4\"}",
            "{\"path\":\"",
            "{\"path\":\"\\",
            "{\"a\":tru}",
            "{\"headers\":[]}",
            "{\"headers\":{\"a\":1}}",
            "{\"body\":\"*\",\"isBase64Encoded\":true}",
            "{\"isBase64Encoded\":\"\"}",
            "{\"a\":[1 2]}",
        ] {
            assert!(Event::parse(json.as_bytes()).is_err(), "{:?}", json);
        }
        assert!(Event::parse(b"{\"path\":\"\xff\"}").is_err());
        assert!(Event::parse(("{\"a\":".to_owned() + &"[".repeat(1 << 20)).as_bytes()).is_err());
    }

    #[test]
    fn no_prefix_of_an_event_is_one() {
        let event = EVENT.trim();
        for length in 0..event.len() {
            assert!(Event::parse(&event.as_bytes()[..length]).is_err(), "{} bytes", length);
        }
    }

    #[test]
    fn an_answer_is_written() {
        for (answer, want) in [
            (Answer::new(204), r#"{"statusCode":204,"multiValueHeaders":{},"body":""}"#),
            (
                Answer::text(200, "\"<😎>\"\n\u{1}"),
                r#"{"statusCode":200,"multiValueHeaders":{"content-type":["text/plain; charset=utf-8"]},"body":"\"<😎>\"\n\u0001"}"#,
            ),
            (
                Answer::json(200, "{}").header("Set-Cookie", "a=1").header("set-cookie", "b=2"),
                r#"{"statusCode":200,"multiValueHeaders":{"content-type":["application/json"],"set-cookie":["a=1","b=2"]},"body":"{}"}"#,
            ),
            (
                Answer::new(200).body([0, 255]),
                r#"{"statusCode":200,"multiValueHeaders":{},"body":"AP8=","isBase64Encoded":true}"#,
            ),
        ] {
            assert_eq!(answer.to_json().trim_end(), want);
        }
    }

    fn run_on(event: &[u8], result: Result<Answer, &str>) -> Result<String, String> {
        let mut output = Vec::new();
        answer(|_| result, event, &mut output)?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_run_ends_as_its_function_does() {
        let output = run_on(b"{}", Ok(Answer::new(204)));
        assert_eq!(output, Ok(Answer::new(204).to_json()));
        assert_eq!(run_on(b"{}", Err("no luck")), Err("no luck".into()));
        let invalid = run_on(b"[]", Ok(Answer::new(204)));
        assert_eq!(invalid, Err("invalid event: expected an object".into()));
        let endless = answer(|_| Ok::<_, String>(Answer::new(204)), io::repeat(b' '), io::sink());
        assert_eq!(endless, Err("event too large".into()));
    }
}
