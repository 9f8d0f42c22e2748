//! The little JSON that a function needs to answer without another crate, and a
//! reader for events.

/// A JSON string, with its quotes.
///
/// ```
/// assert_eq!(cloche::json::string("say \"hi\"\n"), r#""say \"hi\"\n""#);
/// ```
pub fn string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    push_string(&mut json, text);
    json
}

/// Appends a JSON string, with its quotes.
pub fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => {
                json.push_str("\\u00");
                json.push(if c < '\u{10}' { '0' } else { '1' });
                json.extend(char::from_digit(c as u32 % 16, 16));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

/// How deep a value may nest. An event has three levels.
const MAX_DEPTH: usize = 64;

/// What a [`Reader`] expected and did not find.
pub(crate) type Expected = &'static str;

/// Reads JSON from front to back. `null` reads as the empty value of each kind.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    /// `text` is UTF-8 already, so that a string need only be unescaped.
    pub fn new(text: &'a str) -> Self {
        Reader { rest: text.as_bytes(), depth: 0 }
    }

    /// Reads an object; `member` must read the value of each key.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, String) -> Result<(), Expected>,
    ) -> Result<(), Expected> {
        self.items(b'{', b'}', "an object", |reader| {
            reader.blanks();
            let key = reader.quoted()?;
            reader.expect(b':', "a colon")?;
            member(reader, key)
        })
    }

    /// Reads an array; `item` must read each value.
    pub fn array(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<(), Expected>,
    ) -> Result<(), Expected> {
        self.items(b'[', b']', "an array", item)
    }

    pub fn string(&mut self) -> Result<String, Expected> {
        if self.null() {
            return Ok(String::new());
        }
        self.quoted()
    }

    pub fn boolean(&mut self) -> Result<bool, Expected> {
        if self.word(b"true") {
            return Ok(true);
        }
        if self.null() || self.word(b"false") {
            return Ok(false);
        }
        Err("true or false")
    }

    /// Reads any value and forgets it.
    pub fn skip(&mut self) -> Result<(), Expected> {
        self.blanks();
        match self.rest.first() {
            Some(b'{') => self.object(|reader, _| reader.skip()),
            Some(b'[') => self.array(|reader| reader.skip()),
            Some(b'"') => self.quoted().map(drop),
            Some(b'-' | b'0'..=b'9') => {
                let number = |b: &u8| !matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = self.rest.iter().position(number).unwrap_or(self.rest.len());
                self.rest = &self.rest[length..];
                Ok(())
            }
            _ => self.boolean().map(drop).map_err(|_| "a value"),
        }
    }

    /// Makes sure that nothing follows.
    pub fn end(&mut self) -> Result<(), Expected> {
        self.blanks();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err("the end")
        }
    }

    fn items(
        &mut self,
        open: u8,
        close: u8,
        what: Expected,
        mut item: impl FnMut(&mut Self) -> Result<(), Expected>,
    ) -> Result<(), Expected> {
        if self.null() {
            return Ok(());
        }
        self.expect(open, what)?;
        if self.depth == MAX_DEPTH {
            return Err("less depth");
        }
        self.depth += 1;
        if !self.byte(close) {
            item(self)?;
            while self.byte(b',') {
                item(self)?;
            }
            self.expect(close, "a comma or the end of the list")?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn quoted(&mut self) -> Result<String, Expected> {
        self.expect(b'"', "a string")?;
        let mut text = Vec::new();
        loop {
            let plain = |b: &u8| *b == b'"' || *b == b'\\' || *b < b' ';
            let length = self.rest.iter().position(plain).ok_or("the end of the string")?;
            text.extend_from_slice(&self.rest[..length]);
            let stop = self.rest[length];
            self.rest = &self.rest[length + 1..];
            match stop {
                b'"' => return Ok(String::from_utf8_lossy(&text).into_owned()),
                b'\\' => {
                    let c = self.escape()?;
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err("no control character in a string"),
            }
        }
    }

    /// Reads what follows a backslash. Half of a surrogate pair is U+FFFD.
    fn escape(&mut self) -> Result<char, Expected> {
        let (&kind, rest) = self.rest.split_first().ok_or("an escape")?;
        self.rest = rest;
        Ok(match kind {
            b'"' | b'\\' | b'/' => kind as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err("an escape"),
        })
    }

    fn unicode(&mut self) -> Result<char, Expected> {
        let unit = self.hex4()?;
        if let 0xd800..=0xdbff = unit {
            let after = self.rest;
            if let Some(rest) = after.strip_prefix(b"\\u") {
                self.rest = rest;
                let low = self.hex4()?;
                if let 0xdc00..=0xdfff = low {
                    let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                self.rest = after; // that escape is a character of its own
            }
        }
        Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, Expected> {
        let digits = self.rest.get(..4).ok_or("four hexadecimal digits")?;
        self.rest = &self.rest[4..];
        digits.iter().try_fold(0, |unit, &digit| {
            let digit = (digit as char).to_digit(16).ok_or("four hexadecimal digits")?;
            Ok(unit << 4 | digit)
        })
    }

    fn null(&mut self) -> bool {
        self.word(b"null")
    }

    fn word(&mut self, word: &[u8]) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn byte(&mut self, byte: u8) -> bool {
        self.word(&[byte])
    }

    fn expect(&mut self, byte: u8, what: Expected) -> Result<(), Expected> {
        if self.byte(byte) {
            Ok(())
        } else {
            Err(what)
        }
    }

    fn blanks(&mut self) {
        let blank = |b: &u8| !matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        let length = self.rest.iter().position(blank).unwrap_or(self.rest.len());
        self.rest = &self.rest[length..];
    }
}
