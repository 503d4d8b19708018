//! Bodies of requests: fields of a form, and entries as JSON among them, put together once and not copied again.

use std::io::{self, Cursor, Read};

use crate::error::Result;
use crate::platform::transport::{Body, boundary};
use crate::platform::{Entries, Place};
use crate::user_type::UserType;

/// Bytes of lines that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// Bytes around each entry of the JSON: quotes, brackets and a comma.
const AROUND_BYTES: u64 = 5;

/// A multipart form (RFC 7578) in memory.
#[derive(Debug)]
pub(super) struct Form {
    boundary: String,
    content_type: String,
    body: Cursor<Vec<u8>>,
}

impl Form {
    /// An empty form.
    pub(super) fn new() -> Result<Self> {
        let boundary = boundary()?;
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Ok(Self { boundary, content_type, body: Cursor::default() })
    }

    /// The form with another field.
    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.begin(name);
        self.body.get_mut().extend_from_slice(value.as_bytes());
        self
    }

    /// The form with the field that holds entries.
    pub(super) fn payload(
        mut self,
        user_type: UserType,
        schema: &str,
        entries: &mut Entries<'_>,
    ) -> io::Result<Self> {
        self.begin("payload");
        let is_row = user_type == UserType::CustomAudienceThirdPartyId;
        let body = self.body.get_mut();
        let bytes = entries.bytes + entries.count * AROUND_BYTES;
        body.reserve(usize::try_from(bytes).unwrap_or_default());
        let schema = if is_row { format!("[\"{schema}\"]") } else { format!("\"{schema}\"") };
        body.extend_from_slice(format!("{{\"schema\":{schema},\"data\":[").as_bytes());
        write_lines(entries.lines, is_row, body)?;
        body.extend_from_slice(b"]}");
        Ok(self)
    }

    /// The form as it is sent.
    pub(super) fn end(mut self) -> Self {
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        self.body.get_mut().extend_from_slice(tail.as_bytes());
        self
    }

    fn begin(&mut self, name: &str) {
        let Self { boundary, body, .. } = self;
        let line_end = if body.get_ref().is_empty() { "" } else { "\r\n" };
        let head = format!(
            "{line_end}--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n"
        );
        body.get_mut().extend_from_slice(head.as_bytes());
    }
}

impl Read for Form {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

impl Body for Form {
    fn content_type(&self) -> &str {
        &self.content_type
    }

    fn content_length(&self) -> u64 {
        self.body.get_ref().len() as u64
    }

    fn is_complete(&self) -> bool {
        self.body.position() == self.content_length()
    }
}

/// The field that says which batch of a session a request is.
pub(super) fn session(place: &Place) -> String {
    serde_json::json!({
        "session_id": place.session,
        "batch_seq": place.number,
        "last_batch_flag": place.is_last,
        "estimated_num_total": place.total,
    })
    .to_string()
}

/// Writes lines as strings of JSON, each as a row of its own if it is to be one.
fn write_lines(lines: &mut dyn Read, is_row: bool, body: &mut Vec<u8>) -> io::Result<()> {
    let (open, close): (&[u8], &[u8]) = if is_row { (b"[\"", b"\"]") } else { (b"\"", b"\"") };
    let mut buffer = vec![0; READ_BYTES];
    let (mut is_first, mut is_within) = (true, false);
    loop {
        let len = match lines.read(&mut buffer)? {
            0 => break,
            len => len,
        };
        let mut rest = &buffer[..len];
        while !rest.is_empty() {
            if !is_within {
                if !std::mem::replace(&mut is_first, false) {
                    body.push(b',');
                }
                body.extend_from_slice(open);
                is_within = true;
            }
            let end = memchr::memchr(b'\n', rest);
            escape(&rest[..end.unwrap_or(rest.len())], body);
            if end.is_some() {
                body.extend_from_slice(close);
                is_within = false;
            }
            rest = end.map_or(&[], |end| &rest[end + 1..]);
        }
    }
    if is_within {
        body.extend_from_slice(close);
    }
    Ok(())
}

/// Writes a piece of a line within a string of JSON.
fn escape(piece: &[u8], body: &mut Vec<u8>) {
    let is_plain = |byte: &u8| *byte >= 0x20 && !matches!(byte, b'"' | b'\\');
    if piece.iter().all(is_plain) {
        return body.extend_from_slice(piece);
    }
    for byte in piece {
        match byte {
            b'"' | b'\\' => body.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => body.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => body.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The body of a request with these lines, read a few bytes at a time.
    fn body(user_type: UserType, schema: &str, lines: &[u8]) -> (Form, String) {
        let mut reader = lines;
        let mut entries = Entries {
            file: "x",
            bytes: lines.len() as u64,
            count: 3,
            lines: &mut reader,
            place: None,
        };
        let form = Form::new().expect("random").field("session", "{}");
        let mut form = form.payload(user_type, schema, &mut entries).expect("reads").end();
        let mut text = String::new();
        form.read_to_string(&mut text).expect("UTF-8");
        (form, text)
    }

    #[test]
    fn a_form_is_as_long_as_it_says_and_holds_what_the_reference_asks_for() {
        let (form, text) = body(UserType::EmailHash, "EMAIL_SHA256", b"aa\nbb\n");
        assert!(form.is_complete());
        assert_eq!(text.len() as u64, form.content_length());
        let boundary = &form.boundary;
        assert_eq!(
            text,
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"session\"\r\n\r\n{{}}\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n\
                 {{\"schema\":\"EMAIL_SHA256\",\"data\":[\"aa\",\"bb\"]}}\r\n--{boundary}--\r\n"
            )
        );
        assert_eq!(form.content_type(), format!("multipart/form-data; boundary={boundary}"));
        let third_party = UserType::CustomAudienceThirdPartyId;
        let (_, text) = body(third_party, "EXTERN_ID", b"a\"\\b\n");
        assert!(text.contains(r#"{"schema":["EXTERN_ID"],"data":[["a\"\\b"]]}"#), "{text}");
    }

    #[test]
    fn a_session_is_told_in_the_words_of_the_reference() {
        let place =
            Place { session: 9_223_372_036_854_775_807, number: 3, is_last: true, total: 7 };
        let expected = json!({
            "session_id": 9_223_372_036_854_775_807_i64, "batch_seq": 3, "last_batch_flag": true,
            "estimated_num_total": 7
        });
        assert_eq!(serde_json::from_str::<Value>(&session(&place)).expect("JSON"), expected);
    }

    proptest! {
        #[test]
        fn lines_become_json(lines in prop::collection::vec("[^\n]{0,40}", 0..40), is_row: bool) {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let mut body = b"[".to_vec();
            write_lines(&mut text.as_bytes(), is_row, &mut body).expect("reads");
            body.push(b']');
            let read: Value = serde_json::from_slice(&body).expect("JSON");
            let expected = lines.iter().map(|line| if is_row { json!([line]) } else { json!(line) });
            prop_assert_eq!(read, Value::Array(expected.collect()));
        }
    }
}
