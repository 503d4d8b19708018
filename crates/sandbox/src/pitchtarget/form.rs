//! Reading `multipart/form-data` while it arrives: fields are checked, the file is put aside.

use std::io::{BufReader, Seek, Write};
use std::path::Path;

use axum::extract::multipart::{Field, Multipart};
use tempfile::SpooledTempFile;

use super::refusal::Refusal;
use super::wire::SUBTYPE;
use crate::config::{FIELD_BYTES_MAX, UPLOAD_MEMORY_BYTES};
use crate::entry::UserType;
use crate::store::{NewAudience, number};

/// The fields of a request and its file, in whichever order they came.
#[derive(Debug, Default)]
pub(super) struct ReceivedForm {
    /// Texts by the name of their field.
    texts: Vec<(String, String)>,
    file: Option<SpooledTempFile>,
}

impl ReceivedForm {
    /// Reads a whole form. The file goes to memory, and from a megabyte on to an unnamed file in `dir` or the system's
    /// place for temporary ones.
    pub(super) async fn receive(mut body: Multipart, dir: Option<&Path>) -> Result<Self, Refusal> {
        let mut form = Self::default();
        while let Some(field) = body.next_field().await.map_err(broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                form.receive_file(field, dir).await?;
            } else {
                form.receive_text(name, field).await?;
            }
        }
        Ok(form)
    }

    async fn receive_file(
        &mut self,
        mut field: Field<'_>,
        dir: Option<&Path>,
    ) -> Result<(), Refusal> {
        if self.file.is_some() {
            return Err(Refusal::field("`file` is given twice"));
        }
        let content_type = field.content_type().unwrap_or_default();
        if content_type.split(';').next().map(str::trim) != Some("text/plain") {
            return Err(Refusal::field("`file` must have the content type text/plain"));
        }
        if field.file_name().is_none() {
            return Err(Refusal::field("`file` must be a file with a name"));
        }
        let mut file = match dir {
            Some(dir) => SpooledTempFile::new_in(UPLOAD_MEMORY_BYTES, dir),
            None => SpooledTempFile::new(UPLOAD_MEMORY_BYTES),
        };
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            file.write_all(&chunk)?;
        }
        self.file = Some(file);
        Ok(())
    }

    async fn receive_text(&mut self, name: String, mut field: Field<'_>) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > FIELD_BYTES_MAX {
                return Err(Refusal::field("a field is too long"));
            }
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Refusal::field("a field is not in UTF-8"))?;
        if self.text(&name).is_some() {
            return Err(Refusal::field("a field is given twice"));
        }
        self.texts.push((name, text));
        Ok(())
    }

    fn text(&self, name: &str) -> Option<&str> {
        let mut texts = self.texts.iter();
        texts.find(|(own, _)| own == name).map(|(_, text)| text.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Refusal::field(format!("`{name}` is missing")))
    }

    /// The ad account.
    pub(super) fn ad_account(&self) -> Result<u64, Refusal> {
        let text = self.required("fb_ad_account_id")?;
        number(text).ok_or_else(|| Refusal::field("`fb_ad_account_id` is no number"))
    }

    /// The user type, if there is one.
    pub(super) fn user_type(&self) -> Result<Option<UserType>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::field("`user_type` is none that there is"))
        };
        self.text("user_type").map(parse).transpose()
    }

    /// The fields of create.
    pub(super) fn new_audience(&self, fb_id_after: u32) -> Result<NewAudience, Refusal> {
        self.required("user_type")?;
        if self.text("subtype").is_some_and(|subtype| subtype != SUBTYPE) {
            return Err(Refusal::field(format!("`subtype` must be {SUBTYPE} for a file")));
        }
        let opt_out_link = self.text("opt_out_link");
        let is_link = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if opt_out_link.is_some_and(|text| !is_link(text)) {
            return Err(Refusal::field("`opt_out_link` is no link"));
        }
        Ok(NewAudience {
            ad_account: self.ad_account()?,
            name: self.required("name")?.to_owned(),
            description: self.text("description").map(str::to_owned),
            opt_out_link: opt_out_link.map(str::to_owned),
            user_type: self.user_type()?.ok_or_else(Refusal::not_found)?,
            fb_id_after,
        })
    }

    /// The file, from its beginning.
    pub(super) fn into_file(self) -> Result<BufReader<SpooledTempFile>, Refusal> {
        let mut file = self.file.ok_or_else(|| Refusal::field("`file` is missing"))?;
        file.rewind()?;
        Ok(BufReader::with_capacity(256 * 1024, file))
    }
}

/// A form that does not end as it should, or is none.
fn broken(error: axum::extract::multipart::MultipartError) -> Refusal {
    let _its_text_can_hold_values = error;
    Refusal::new(400, "malformed", "the body is no whole multipart/form-data")
}
