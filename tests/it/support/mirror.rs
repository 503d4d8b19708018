//! A job on a platform that can take people out, and what its audience must hold after each night.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use throng::sandbox::{Platform, Sandbox, SandboxConfig};
use throng::sync::{SyncConfig, SyncRecord};

use super::home::{email, output_for, stderr};
use super::world::{self, Lines, World, digests};

pub(crate) struct Mirror {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
    user_type: &'static str,
}

impl Mirror {
    pub(crate) fn new(user_type: &'static str) -> Self {
        let config = SandboxConfig {
            platform: Platform::Meta,
            keeps_deliveries: true,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::start(config).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), sandbox, user_type }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn export(&self, world: &World) {
        for (name, people) in [("export.csv", &world.customers), ("opt_outs.csv", &world.opted_out)]
        {
            let mut text = String::from("email,key\n");
            for person in people {
                writeln!(text, "{},Key-{person}-x", email(*person)).unwrap();
            }
            fs::write(self.path(name), text).unwrap();
        }
    }

    /// What the audience of these people holds.
    pub(crate) fn entries<'a>(
        &self,
        people: impl IntoIterator<Item = &'a u64>,
    ) -> BTreeSet<String> {
        match self.user_type {
            "email_hash" => digests(people),
            _ => people.into_iter().map(|person| format!("Key-{person}-x")).collect(),
        }
    }

    /// The run of a job file that says this of who is taken out.
    pub(crate) fn config(&self, remove: &str) -> SyncConfig {
        self.config_with("opt_outs.csv", remove)
    }

    /// The same with other opt-out lists.
    pub(crate) fn config_with(&self, opt_outs: &str, remove: &str) -> SyncConfig {
        let column = if self.user_type == "email_hash" { "email" } else { "key" };
        let lines = Lines {
            opt_outs,
            audience: &format!("user-type = \"{}\"\ncolumn = \"{column}\"", self.user_type),
            target: &format!("platform = \"meta\"\n{remove}"),
            upload: "",
            guards: "max-opt-out-shrink = \"100%\"\nmin-opt-out-members = 0",
        };
        world::job(self.dir.path(), &self.sandbox, &lines)
    }

    /// Has the command forget somebody.
    pub(crate) fn forget(&self, person: u64) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["forget", "-t", "email_hash", "--state", "state"]);
        let ended = output_for(command.current_dir(self.dir.path()), &email(person));
        assert!(ended.status.success(), "{}", stderr(&ended));
    }

    pub(crate) fn members(&self) -> BTreeSet<String> {
        world::members(&self.sandbox)
    }

    pub(crate) fn fault(&self, fault: &str) {
        self.sandbox.push_fault(fault.parse().unwrap());
    }

    #[track_caller]
    pub(crate) fn assert_is_truth(&self, record: &SyncRecord, world: &World) {
        assert_eq!(record.exit_code, 0, "{:?}", record.error);
        let truth = self.entries(world.customers.difference(&world.opted_out));
        assert_eq!(self.members(), truth);
        let audience = &record.audiences[0];
        assert_eq!(audience.held_after, truth.len() as u64);
        assert_eq!((audience.figures.sets.must_go, audience.figures.sets.gone), (0, 0));
        assert!(audience.must_go_list.is_none() && audience.gone_list.is_none());
        assert_eq!(record.must_go_entries(), 0);
    }
}

pub(crate) fn world(customers: u64) -> World {
    World { customers: (0..customers).collect(), opted_out: BTreeSet::new() }
}
