//! What of a directory is uploaded, and whether it fits a platform: it may have been prepared for another one.

use std::io::Read;

use super::UploadConfig;
use super::part::Part;
use crate::emit::{AudienceManifest, Manifest};
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::quote::Quoted;
use crate::stop::Stop;
use crate::store::Purpose;
use crate::user_type::UserType;

/// Digits of an Android id, which some platforms do not take.
const ANDROID_ID_DIGITS: usize = 16;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Refuses a directory whose entries a platform would not take, or would match with nobody.
pub(super) fn check(
    platform: Platform,
    manifest: &Manifest,
    user_type: UserType,
    parts: &[Part],
    stop: &Stop,
) -> Result<()> {
    check_type(platform, user_type)?;
    let rules = platform.rules();
    let option = |name: &str| manifest.options.get(name).and_then(|value| value.as_str());
    if user_type == UserType::CustomAudienceThirdPartyId
        && rules.keeps_case
        && option("case") != Some("keep")
    {
        return Err(Error::usage(
            format!(
                "{} tells ids apart by letter case, and these were prepared in small letters",
                platform.name()
            ),
            format!("prepare them again: throng prepare ... --for {}", platform.name()),
        ));
    }
    if user_type == UserType::MobileAdvertiserId && rules.refuses_android_ids {
        parts.iter().try_for_each(|part| check_ids(platform, part, stop))?;
    }
    Ok(())
}

/// Refuses a type that a platform does not take.
pub(crate) fn check_type(platform: Platform, user_type: UserType) -> Result<()> {
    if platform.type_name(user_type).is_some() {
        return Ok(());
    }
    let name = platform.name();
    Err(Error::usage(
        format!(
            "{user_type} cannot be uploaded to {name}: it wants the ids of the apps or pages that collected them, too"
        ),
        "upload another type; email_hash matches the same people",
    ))
}

fn check_ids(platform: Platform, part: &Part, stop: &Stop) -> Result<()> {
    let reading = |error| Error::reading("read", &part.path, error);
    let mut reader = part.open(&part.whole(), &std::sync::Arc::default(), stop).map_err(reading)?;
    let (mut buffer, mut digits) = (vec![0; READ_BYTES], 0);
    loop {
        let len = match reader.read(&mut buffer).map_err(reading)? {
            0 => return Ok(()),
            len => len,
        };
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..len]) {
            if digits + end - begin == ANDROID_ID_DIGITS {
                return Err(Error::input(
                    &part.path,
                    format!("it holds Android ids, which {} does not take", platform.name()),
                    format!(
                        "prepare again without them: throng prepare ... --for {}",
                        platform.name()
                    ),
                ));
            }
            (begin, digits) = (end + 1, 0);
        }
        digits += len - begin;
    }
}

/// Refuses to take anybody out where a platform cannot.
pub(super) fn check_purpose(platform: Platform, purpose: Purpose) -> Result<()> {
    if purpose == Purpose::Remove && !platform.capabilities().can_remove {
        return Err(Error::usage(
            format!("{} cannot take anybody out of an audience", platform.name()),
            "build a new audience without them, and delete this one; in a job: replace",
        ));
    }
    Ok(())
}

/// The audience of a directory that is meant.
pub(super) fn choose<'a>(
    manifest: &'a Manifest,
    config: &UploadConfig,
) -> Result<&'a AudienceManifest> {
    let dir = Quoted(&config.dir);
    let Some(asked) = &config.audience else {
        return match &manifest.audiences[..] {
            [audience] => Ok(audience),
            _ => Err(Error::usage(
                format!("{dir} holds {}", manifest.names()),
                "say which one goes into this audience: --user-type TYPE, or its label",
            )),
        };
    };
    if let Some(audience) = manifest.audiences.iter().find(|audience| audience.label == *asked) {
        return Ok(audience);
    }
    let is_of_type = |audience: &&AudienceManifest| audience.user_type.name() == asked.as_str();
    let mut of_type = manifest.audiences.iter().filter(is_of_type);
    match (of_type.next(), of_type.next()) {
        (Some(audience), None) => Ok(audience),
        (None, _) => Err(Error::usage(
            format!("{dir} holds no {asked}"),
            format!("it holds {}", manifest.names()),
        )),
        (Some(_), Some(_)) => Err(Error::usage(
            format!("{dir} holds more than one {asked}"),
            format!("say which one by its label: it holds {}", manifest.names()),
        )),
    }
}
