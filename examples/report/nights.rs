//! Ninety-one made-up nights: an audience that grows, people who come, leave and opt out, and what goes wrong in three
//! months. The same at every call.

use throng::audience::{AudienceFigures, Rejects};
use throng::entries::Counts;
use throng::normalize::Reason;
use throng::sync::{
    AudienceRecord, GuardRecord, InputRecord, MustGoRecord, PhaseRecord, SyncRecord,
};
use throng::utc::Utc;

const NIGHTS: i64 = 91;
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// 26 Aug 2026, 02:00 UTC.
const FIRST_AT: i64 = 1_787_709_600_000;

const COMMAND: &str = "throng sync /etc/throng/nightly.toml --log json";

/// The nights, the latest first, of which the last is of this kind; `None` if it is not known.
pub(crate) fn ending(kind: &str) -> Option<Vec<SyncRecord>> {
    let mut runs: Vec<SyncRecord> = (1..=NIGHTS).map(night).collect();
    let last = runs.last_mut()?;
    match kind {
        "done" | "history" | "metrics" => with_people_who_must_go(last),
        "guard" => half_written(last),
        "partial" => partly_uploaded(last),
        "nothing" => nothing_to_do(last),
        "first" => runs.truncate(1),
        _ => return None,
    }
    runs.reverse();
    Some(runs)
}

/// From 0 to `bound` - 1, the same for the same night and salt.
fn scatter(run: i64, salt: u64, bound: u64) -> u64 {
    let mixed = (run.unsigned_abs() + salt * 1009).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) % 1_000_003 % bound
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn night(run: i64) -> SyncRecord {
    let started_at = FIRST_AT + (run - 1) * MILLIS_PER_DAY + 1000 * i64::from(run % 7 == 3);
    let email = audience(run, 1_180_000, "Customers by e-mail", "email_hash", "59");
    let phone = audience(run, 740_000, "Customers by phone", "phone_hash", "60");
    let usual = [210, 1900, 640, 2800];
    let millis = usual.map(|usual: u32| usual * (90 + small(scatter(run, 3, 30))) / 100);
    let took = i64::from(millis.iter().sum::<u32>());
    let names = ["plan", "read", "write", "upload"];
    let mut record = SyncRecord {
        job: "nightly".to_owned(),
        run,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        ended_at: started_at + took,
        command: COMMAND.to_owned(),
        replace_command: format!("{COMMAND} --replace"),
        inputs: inputs(started_at, email.figures.read),
        records: email.figures.read + 41_812,
        phases: names
            .into_iter()
            .zip(millis)
            .map(|(name, millis)| PhaseRecord {
                name: name.to_owned(),
                seconds: f64::from(millis) / 1000.0,
            })
            .collect(),
        notes: vec![
            "`crm.csv`: column 4 `E-mail` is taken for email_hash, column 5 `Phone` for phone_hash"
                .to_owned(),
            "18,204 phone numbers without prefix are read as numbers of the row's country"
                .to_owned(),
        ],
        peak_memory_bytes: Some(212_000_000 + 10_000 * scatter(run, 5, 900)),
        audiences: vec![email, phone],
        ..SyncRecord::default()
    };
    match run {
        37 => half_written(&mut record),
        58 => unreachable(&mut record),
        59 => partly_uploaded(&mut record),
        71 => wrong_column(&mut record),
        80 => nothing_to_do(&mut record),
        _ => {}
    }
    record
}

fn inputs(started_at: i64, records: u64) -> Vec<InputRecord> {
    let day = Utc(started_at).to_string();
    let day = &day[..10];
    let input = |path: &str, role: &str, records: u64, bytes: u64, minutes: i64| InputRecord {
        path: path.to_owned(),
        role: role.to_owned(),
        bytes: Some(bytes),
        modified_at: Some(started_at - minutes * 60_000),
        records,
        dropped: Vec::new(),
    };
    let shop = records / 3;
    let dated = |name: &str| format!("/srv/exports/{day}/{name}");
    vec![
        input(&dated("crm.csv"), "member", records - shop, (records - shop) * 121, 64),
        input(&dated("shop_orders.csv.zst"), "member", shop, shop * 23, 51),
        input("/srv/privacy/opt_outs.csv", "suppressed", 41_812, 41_812 * 31, 9 * 60 + 12),
    ]
}

fn audience(run: i64, base: u64, name: &str, user_type: &str, number: &str) -> AudienceRecord {
    let is_first = run == 1;
    let age = run.unsigned_abs() - 1;
    let members = base + age * 2_900 + scatter(run, base, 900);
    let (blank, rejected) = (members / 310, members / 420 + scatter(run, base + 1, 300));
    let duplicates = members / 9 + scatter(run, base + 2, 4_000);
    let suppressed = 6_400 + age * 11;
    let new = if is_first { members - suppressed } else { 2_700 + scatter(run, base + 3, 800) };
    let held_before = if is_first { 0 } else { members - suppressed - new + age * 310 };
    let parts = new.div_ceil(1_000_000);
    AudienceRecord {
        name: name.to_owned(),
        user_type: user_type.to_owned(),
        audience: Some(number.to_owned()),
        fb_id: Some(format!("60173820389{number}")),
        action: if is_first { "create" } else { "add" }.to_owned(),
        new,
        figures: AudienceFigures {
            read: members + blank + rejected + duplicates,
            blank,
            rejected,
            rejects: rejects(user_type, rejected),
            duplicates,
            sets: Counts {
                members,
                suppressed,
                linked: 0,
                known: members - suppressed - new,
                gone: age * 310,
                must_go: 0,
                written: new,
            },
            suppression_read: 41_812,
            ..AudienceFigures::default()
        },
        gone_list: (age > 0).then(|| format!("/var/lib/throng/nightly/{user_type}-gone.txt")),
        parts,
        parts_sent: parts,
        entries_sent: new,
        bytes_sent: new * 65,
        held_before,
        held_after: held_before + new,
        ..AudienceRecord::default()
    }
}

fn rejects(user_type: &str, rejected: u64) -> Vec<Rejects> {
    let reasons = match user_type {
        "email_hash" => [Reason::NoAtSign, Reason::BadDomain, Reason::NullWord, Reason::NonAscii],
        _ => [Reason::NationalNumber, Reason::InvalidLength, Reason::NullWord, Reason::Letters],
    };
    let mut left = rejected;
    let mut rejects = Vec::new();
    for (index, reason) in reasons.into_iter().enumerate() {
        let count = if index == 3 { left } else { left * 5 / 8 };
        left -= count;
        rejects.push(Rejects {
            reason: reason.code().to_owned(),
            advice: reason.advice().to_owned(),
            count,
            first_source: "/srv/exports/crm.csv".to_owned(),
            first_line: 1_207 * (index as u64 + 1),
        });
    }
    rejects
}

/// Nothing is sent, and the audiences hold what they held.
fn stop(record: &mut SyncRecord, exit_code: u8, error: &str, hint: &str) {
    record.exit_code = exit_code;
    record.error = Some(error.to_owned());
    record.hint = (!hint.is_empty()).then(|| hint.to_owned());
    record.phases.truncate(3);
    for audience in &mut record.audiences {
        audience.held_after = audience.held_before;
        (audience.parts_sent, audience.entries_sent, audience.bytes_sent) = (0, 0, 0);
    }
}

fn half_written(record: &mut SyncRecord) {
    for audience in &mut record.audiences {
        let figures = [
            &mut audience.figures.read,
            &mut audience.figures.blank,
            &mut audience.figures.rejected,
            &mut audience.figures.duplicates,
            &mut audience.figures.sets.members,
            &mut audience.figures.sets.suppressed,
            &mut audience.figures.sets.written,
        ];
        for figure in figures {
            *figure = *figure * 41 / 100;
        }
        audience.figures.read = audience.figures.blank
            + audience.figures.rejected
            + audience.figures.duplicates
            + audience.figures.sets.members;
        audience.figures.sets.known = audience.figures.sets.members
            - audience.figures.sets.suppressed
            - audience.figures.sets.written;
        audience.figures.sets.gone = audience.held_before - audience.figures.sets.known;
        audience.figures.rejects = rejects(&audience.user_type.clone(), audience.figures.rejected);
    }
    record.inputs = inputs(record.started_at, record.audiences[0].figures.read);
    stop(
        record,
        3,
        "`Customers by e-mail` would shrink from 1,283,004 to 526,031 members, by 59.0%: more than max_shrink = 20% allows",
        "look at the inputs; if they are right, run again with --allow-shrink",
    );
    record.guard = Some(GuardRecord {
        name: "max_shrink".to_owned(),
        audience: Some("Customers by e-mail".to_owned()),
        found: "59.0%".to_owned(),
        limit: "20%".to_owned(),
        command: format!("{COMMAND} --allow-shrink"),
    });
}

fn wrong_column(record: &mut SyncRecord) {
    for audience in &mut record.audiences {
        audience.figures.rejected = audience.figures.read * 96 / 100;
        audience.figures.sets.members = audience.figures.read - audience.figures.rejected;
        (
            audience.figures.blank,
            audience.figures.duplicates,
            audience.figures.sets.suppressed,
            audience.figures.sets.written,
        ) = (0, 0, 0, 0);
        audience.figures.sets.known = audience.figures.sets.members;
        audience.figures.sets.gone = audience.held_before - audience.figures.sets.known;
        audience.figures.rejects = rejects(&audience.user_type.clone(), audience.figures.rejected);
    }
    let error = "96.0% of the values are rejected: more than max_rejects = 10% allows";
    stop(record, 3, error, "these look like phone numbers: --user-type phone_hash?");
    record.guard = Some(GuardRecord {
        name: "max_rejects".to_owned(),
        audience: Some("Customers by e-mail".to_owned()),
        found: "96.0%".to_owned(),
        limit: "10%".to_owned(),
        command: format!("{COMMAND} --max-rejects 100%"),
    });
}

fn unreachable(record: &mut SyncRecord) {
    let error = "failed to add users to audience 59: connection refused; nothing is uploaded yet";
    stop(record, 6, error, "run the same command again later");
    record.retries = 11;
}

fn partly_uploaded(record: &mut SyncRecord) {
    let error =
        "failed to add users to audience 60: 503 Service Unavailable; 1 of 2 parts are uploaded";
    let sent = record.audiences[0].clone();
    stop(record, 7, error, "run the same command again: it goes on where it stopped");
    record.audiences[0] = sent;
    record.phases.push(PhaseRecord { name: "upload".to_owned(), seconds: 912.4 });
    record.ended_at += 912_400;
    record.retries = 14;
}

fn nothing_to_do(record: &mut SyncRecord) {
    for audience in &mut record.audiences {
        audience.figures.sets.known += audience.figures.sets.written;
        audience.held_before = audience.figures.sets.known + audience.figures.sets.gone;
        audience.held_after = audience.held_before;
        "none".clone_into(&mut audience.action);
        (audience.figures.sets.written, audience.parts, audience.parts_sent) = (0, 0, 0);
        (audience.entries_sent, audience.bytes_sent) = (0, 0);
    }
}

fn with_people_who_must_go(record: &mut SyncRecord) {
    let [email, phone] = &mut record.audiences[..] else { return };
    for (audience, must_go) in [(&mut *email, 312), (phone, 41)] {
        audience.figures.sets.must_go = must_go;
        record.must_go.push(MustGoRecord {
            audience: audience.name.clone(),
            user_type: audience.user_type.clone(),
            entries: must_go,
            at: record.ended_at,
        });
        audience.must_go_list =
            Some(format!("/var/lib/throng/nightly/{}-must-go.txt", audience.user_type));
    }
    let more = email.figures.read / 40;
    email.figures.rejected += more;
    email.figures.sets.members -= more;
    email.figures.sets.known -= more;
    email.figures.sets.gone += more;
    email.figures.rejects = rejects("email_hash", email.figures.rejected);
}
