//! A stream of JSON objects, cut into texts. OVSDB sends them one after the other with nothing in between (RFC 7047
//! section 4), so whoever reads must know where one ends.

use std::ops::Range;

/// Cuts a stream. What is kept between two calls is the object that is under way, bounded in length.
#[derive(Debug)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// Bytes that were looked at.
    seen: usize,
    /// Where the object under way begins.
    from: usize,
    depth: usize,
    text: Text,
    longest: usize,
}

/// Whether a byte is within quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

/// What is wrong with a stream; there is no going on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadStream {
    /// An object longer than this many bytes.
    TooLong(usize),
    /// Something between objects.
    Junk(u8),
}

impl std::fmt::Display for BadStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong(longest) => write!(f, "a message of more than {} MiB", longest >> 20),
            Self::Junk(byte) => write!(f, "{:?} where a JSON object should begin", char::from(*byte)),
        }
    }
}

impl Splitter {
    /// Takes no object longer than `longest` bytes.
    pub fn new(longest: usize) -> Self {
        Self { bytes: Vec::new(), seen: 0, from: 0, depth: 0, text: Text::Outside, longest }
    }

    /// More of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.from);
        self.seen -= self.from;
        self.from = 0;
        if self.bytes.is_empty() {
            // What one long message took is not kept for ever.
            self.bytes.shrink_to(1 << 20);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole object, if there is one.
    ///
    /// # Errors
    ///
    /// When the stream is not one of JSON objects, or an object is too long.
    pub fn object(&mut self) -> Result<Option<&[u8]>, BadStream> {
        match self.find()? {
            Some(range) => Ok(Some(&self.bytes[range])),
            None => Ok(None),
        }
    }

    fn find(&mut self) -> Result<Option<Range<usize>>, BadStream> {
        while let Some(&byte) = self.bytes.get(self.seen) {
            self.seen += 1;
            match (self.text, byte) {
                (Text::Escaped, _) => self.text = Text::Inside,
                (Text::Inside, b'\\') => self.text = Text::Escaped,
                (Text::Inside, b'"') => self.text = Text::Outside,
                (Text::Inside, _) => {}
                (Text::Outside, b'{' | b'[') if self.depth > 0 || byte == b'{' => self.depth += 1,
                (Text::Outside, _) if self.depth == 0 => match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => self.from = self.seen,
                    _ => return Err(BadStream::Junk(byte)),
                },
                (Text::Outside, b'"') => self.text = Text::Inside,
                (Text::Outside, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        let whole = self.from..self.seen;
                        self.from = self.seen;
                        return Ok(Some(whole));
                    }
                }
                (Text::Outside, _) => {}
            }
        }
        if self.seen - self.from > self.longest {
            return Err(BadStream::TooLong(self.longest));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when a stream arrives in pieces of `piece` bytes.
    fn cut(stream: &[u8], piece: usize, longest: usize) -> (Vec<String>, Option<BadStream>) {
        let mut splitter = Splitter::new(longest);
        let mut texts = Vec::new();
        for piece in stream.chunks(piece) {
            splitter.feed(piece);
            loop {
                match splitter.object() {
                    Ok(Some(text)) => texts.push(String::from_utf8_lossy(text).into_owned()),
                    Ok(None) => break,
                    Err(bad) => return (texts, Some(bad)),
                }
            }
        }
        (texts, None)
    }

    #[test]
    fn objects_are_found_wherever_the_stream_is_cut() {
        let objects = [r#"{"a":"}{\"\\","b":[{},[1]]}"#, "{}", r#"{"c":"\\\\"}"#];
        let stream = format!("{} \n{}{}", objects[0], objects[1], objects[2]);
        for piece in 1..=stream.len() {
            assert_eq!(cut(stream.as_bytes(), piece, 1000), (objects.map(String::from).to_vec(), None), "by {piece}");
        }
    }

    #[test]
    fn a_truncated_object_is_no_object() {
        assert_eq!(cut(br#"{"a":[{}"#, 3, 1000), (Vec::new(), None));
        assert_eq!(cut(br#"{"a":"}"#, 3, 1000), (Vec::new(), None));
    }

    #[test]
    fn junk_and_objects_without_end_are_refused() {
        assert_eq!(cut(b"{}[]", 9, 1000), (vec!["{}".into()], Some(BadStream::Junk(b'['))));
        assert_eq!(cut(b"HTTP/1.1", 9, 1000).1, Some(BadStream::Junk(b'H')));
        assert_eq!(cut(&[b'{'; 5000], 7, 1000).1, Some(BadStream::TooLong(1000)));
        let endless = [&b"{\""[..], &[b'x'; 5000]].concat();
        assert_eq!(cut(&endless, 64, 1000).1, Some(BadStream::TooLong(1000)));
    }
}
