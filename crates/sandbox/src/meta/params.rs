//! Parameters of a request: in its query, and in a body that is a form, a multipart form or JSON.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{Uri, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::GraphError;

/// Parameters of the query whose values anybody may see.
const HARMLESS: [&str; 5] = ["fields", "limit", "after", "before", "summary"];

/// The parameters of a request, by name.
#[derive(Debug, Default)]
pub(super) struct Params(BTreeMap<String, Value>);

impl Params {
    /// Those of the query.
    pub(super) fn of_query(uri: &Uri) -> Self {
        let mut params = Self::default();
        params.add_form(uri.query().unwrap_or_default().as_bytes());
        params
    }

    /// Adds those of the body, whose length is bounded already. One that is in the query too is as the body says.
    pub(super) async fn receive(&mut self, request: Request) -> Result<(), GraphError> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
        match media_type.as_str() {
            "multipart/form-data" => {
                let body = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
                self.add_multipart(body).await
            }
            "application/json" => {
                let bytes = whole(request.into_body()).await?;
                let Ok(Value::Object(given)) = serde_json::from_slice(&bytes) else {
                    return Err(broken());
                };
                self.0.extend(given);
                Ok(())
            }
            "application/x-www-form-urlencoded" => {
                self.add_form(&whole(request.into_body()).await?);
                Ok(())
            }
            // A request without a type has no parameters in its body, as Meta takes it; one of another type has none
            // either.
            _ => whole(request.into_body()).await.map(|_| ()),
        }
    }

    fn add_form(&mut self, form: &[u8]) {
        let pairs = form_urlencoded::parse(form).into_owned();
        self.0.extend(pairs.map(|(name, value)| (name, Value::String(value))));
    }

    async fn add_multipart(&mut self, mut body: Multipart) -> Result<(), GraphError> {
        while let Some(field) = body.next_field().await.map_err(|_| broken())? {
            let name = field.name().unwrap_or_default().to_owned();
            let text = field.text().await.map_err(|_| broken())?;
            self.0.insert(name, Value::String(text));
        }
        Ok(())
    }

    /// A text, or a number as text; nothing if it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, GraphError> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// An object that must be there: as JSON of its own, or as a text that holds it.
    pub(super) fn object<T: DeserializeOwned>(&self, name: &str) -> Result<T, GraphError> {
        self.optional_object(name)?.ok_or_else(|| missing(name))
    }

    /// The same, if it is there.
    pub(super) fn optional_object<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, GraphError> {
        let read = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text),
            Some(value) => T::deserialize(value),
        };
        // What serde says can hold values.
        read.map(Some).map_err(|_| GraphError::parameter(format!("Param {name} is not valid")))
    }

    /// Names in one text, separated by commas.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }
}

fn missing(name: &str) -> GraphError {
    GraphError::parameter(format!("The parameter {name} is required"))
}

fn broken() -> GraphError {
    GraphError::parameter("the body cannot be read")
}

async fn whole(body: Body) -> Result<Vec<u8>, GraphError> {
    axum::body::to_bytes(body, usize::MAX).await.map(Into::into).map_err(|_| broken())
}

/// What the log may hold of an address: values of the harmless parameters alone.
pub(super) fn shown(uri: &Uri) -> String {
    let mut shown = uri.path().to_owned();
    for (index, pair) in uri.query().iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        let name = pair.split('=').next().unwrap_or_default();
        if HARMLESS.contains(&name) {
            shown.push_str(pair);
        } else {
            shown.push_str(name);
        }
    }
    shown
}
