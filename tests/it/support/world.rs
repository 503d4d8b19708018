//! The people of nights that are made up, and the job that is run in each of these nights.

use std::collections::BTreeSet;
use std::path::Path;

use throng::job::Job;
use throng::sandbox::Sandbox;
use throng::sync::{SyncConfig, SyncProgress, SyncRecord, run};
use throng::upload::{Client, ClientConfig, Token};

use super::Random;
use super::home;

/// People by number, as they are in the export, and those who have opted out.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) customers: BTreeSet<u64>,
    pub(crate) opted_out: BTreeSet<u64>,
}

/// A night of people who come, leave and opt out.
pub(crate) fn change(world: &mut World, next_person: &mut u64, random: &mut Random) {
    for _ in 0..random.below(30) {
        world.customers.insert(*next_person);
        *next_person += 1;
    }
    world.customers.retain(|_| random.below(40) != 0);
    world.opted_out.extend(world.customers.iter().copied().filter(|_| random.below(100) == 0));
}

/// What an audience of these people holds.
pub(crate) fn digests<'a>(people: impl IntoIterator<Item = &'a u64>) -> BTreeSet<String> {
    home::digests(people.into_iter().copied())
}

/// Lines of a job file that are not the same for all.
pub(crate) struct Lines<'a> {
    pub(crate) opt_outs: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) target: &'a str,
    pub(crate) upload: &'a str,
    pub(crate) guards: &'a str,
}

/// The run of a job whose file is in this folder and has these lines.
pub(crate) fn job(dir: &Path, sandbox: &Sandbox, lines: &Lines<'_>) -> SyncConfig {
    let Lines { opt_outs, audience, target, upload, guards } = lines;
    let text = format!(
        r#"
        name = "nightly"
        state = "state"
        [input]
        files = ["export.csv"]
        [[suppress]]
        files = "{opt_outs}"
        [[audience]]
        {audience}
        name = "Newsletter"
        [target]
        {target}
        ad-account = 7
        endpoint = "{}"
        [upload]
        {upload}
        attempts = 3
        retry-wait = "1ms"
        [guards]
        max-shrink = "30%"
        {guards}
        [limits]
        part-lines = 40
        threads = 2
        "#,
        sandbox.endpoint()
    );
    let date = jiff::civil::date(2026, 11, 24);
    let job = Job::parse(&text, &dir.join("nightly.toml"), &|_| None, date).unwrap();
    let token = Token::new(sandbox.token()).unwrap();
    let client = ClientConfig { use_proxy: false, ..job.client_config(token) };
    SyncConfig::new(job, Client::new(client).unwrap(), "throng sync nightly.toml")
}

pub(crate) fn night_of(config: &SyncConfig) -> SyncRecord {
    run(config, &SyncProgress::default(), &|_| {}).0
}

/// The members of the one audience that there is, if there is one.
pub(crate) fn members(sandbox: &Sandbox) -> BTreeSet<String> {
    let audiences = sandbox.audiences().unwrap();
    assert!(audiences.len() <= 1, "{} audiences", audiences.len());
    let members = audiences.first().map(|audience| sandbox.members(audience.id).unwrap());
    members.unwrap_or_default().into_iter().collect()
}
