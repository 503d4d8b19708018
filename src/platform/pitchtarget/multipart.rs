//! Requests that carry a file: `multipart/form-data` (RFC 7578) whose length is known before it is sent, so that a part
//! of any size is streamed from disk.

use std::io::{self, Read};

use crate::user_type::UserType;

/// The fields that go with a file. What both revisions of the reference ask for is sent to either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    fields: Vec<(&'static str, String)>,
}

impl Form {
    /// The fields of create.
    pub fn create(
        ad_account: &str,
        name: &str,
        user_type: UserType,
        description: Option<&str>,
        opt_out_link: Option<&str>,
    ) -> Self {
        let mut form = Self::add(ad_account, user_type);
        form.fields.push(("name", name.to_owned()));
        form.fields.push(("subtype", super::SUBTYPE.to_owned()));
        form.fields.extend(description.map(|text| ("description", text.to_owned())));
        form.fields.extend(opt_out_link.map(|link| ("opt_out_link", link.to_owned())));
        form
    }

    /// The fields of add users.
    pub fn add(ad_account: &str, user_type: UserType) -> Self {
        let fields = vec![
            ("fb_ad_account_id", ad_account.to_owned()),
            ("user_type", user_type.name().to_owned()),
        ];
        Self { fields }
    }

    /// The body with these fields and a file of `file_bytes` bytes behind them. `boundary` must not occur in either; a
    /// random one of 32 hex digits never does.
    pub fn body<R: Read>(
        &self,
        file: R,
        file_name: &str,
        file_bytes: u64,
        boundary: &str,
    ) -> MultipartBody<R> {
        let mut head = String::new();
        for (name, value) in &self.fields {
            head.extend(["--", boundary, "\r\nContent-Disposition: form-data; name=\"", name]);
            head.extend(["\"\r\n\r\n", value, "\r\n"]);
        }
        head.extend([
            "--",
            boundary,
            "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"",
        ]);
        head.extend([file_name, "\"\r\nContent-Type: text/plain\r\n\r\n"]);
        let tail = format!("\r\n--{boundary}--\r\n");
        MultipartBody {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            content_length: head.len() as u64 + file_bytes + tail.len() as u64,
            head: io::Cursor::new(head.into_bytes()),
            file,
            file_bytes_left: file_bytes,
            tail: io::Cursor::new(tail.into_bytes()),
        }
    }
}

/// A body that is read while it is sent.
#[derive(Debug)]
pub struct MultipartBody<R> {
    content_type: String,
    content_length: u64,
    head: io::Cursor<Vec<u8>>,
    file: R,
    file_bytes_left: u64,
    tail: io::Cursor<Vec<u8>>,
}

impl<R> MultipartBody<R> {
    /// The value of `Content-Type`.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The value of `Content-Length`.
    pub fn content_length(&self) -> u64 {
        self.content_length
    }

    /// Whether all of it has been read. A request whose body is not complete cannot take effect: the boundary that
    /// closes it is missing.
    pub fn is_complete(&self) -> bool {
        self.tail.position() == self.tail.get_ref().len() as u64
    }
}

impl<R: Read> Read for MultipartBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.head.read(buffer)?;
        if len > 0 || buffer.is_empty() {
            return Ok(len);
        }
        if self.file_bytes_left > 0 {
            let len = (&mut self.file).take(self.file_bytes_left).read(buffer)?;
            if len == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the part became shorter",
                ));
            }
            self.file_bytes_left -= len as u64;
            return Ok(len);
        }
        self.tail.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_as_long_as_it_says_and_holds_the_file() {
        let form = Form::create("7", "Ann \"A\"", UserType::Fbid, Some("d"), None);
        let mut body = form.body(&b"1\n2\n"[..], "fbid-00001.txt", 4, "xyz");
        let mut text = String::new();
        assert!(!body.is_complete());
        body.read_to_string(&mut text).expect("reads");
        assert!(body.is_complete());
        assert_eq!(text.len() as u64, body.content_length());
        assert!(text.ends_with("Content-Type: text/plain\r\n\r\n1\n2\n\r\n--xyz--\r\n"), "{text}");
        assert_eq!(text.matches("--xyz").count(), 7);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let form = Form::add("7", UserType::Fbid);
        let read = form.body(&b"1\n"[..], "f", 4, "xyz").read_to_end(&mut Vec::new());
        assert_eq!(read.expect_err("too short").kind(), io::ErrorKind::UnexpectedEof);
    }
}
