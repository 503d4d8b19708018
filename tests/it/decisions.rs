//! Audiences that are replaced, adopted, or made again because a person says so.

use std::collections::BTreeSet;

use crate::support::digest_hex;
use crate::support::home::{digests, email, emails, first_night, members, stderr, summary};

#[test]
fn replace_builds_anew_and_deletes_the_old_one() {
    let (home, sandbox) = first_night(50);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    home.write("export.csv", &emails(5..55));
    home.write("opt_outs.txt", &(email(7) + "\n"));
    let night = summary(&home.sync(&[]));
    assert_eq!(
        (&night["audiences"][0]["gone"], &night["audiences"][0]["must_go"]),
        (&5.into(), &1.into())
    );
    assert_eq!(members(&sandbox).len(), 55);
    let command = night["replace_command"].as_str().unwrap();
    let replaced = summary(&home.shell(command));
    assert_eq!(replaced["audiences"][0]["action"], "replace");
    let expected: BTreeSet<String> = digests((5..55).filter(|person| *person != 7));
    assert_eq!(members(&sandbox), expected);
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["must_go"], 0);
}

#[test]
fn a_create_that_a_person_decided_on_is_adopted_or_made_again() {
    let (home, sandbox) = first_night(30);
    home.job_with(&sandbox, "", |job| {
        job.replace("name = \"News\"", "name = \"News\"\nno-marker = true")
    });
    sandbox.push_fault("create,when=after,cut".parse().unwrap());
    let unknown = home.sync(&[]);
    assert_eq!(unknown.status.code(), Some(8), "{}", stderr(&unknown));
    let record = summary(&unknown);
    assert_eq!(record["audiences"][0]["entries_sent"], 0, "nothing was confirmed: {record}");
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(8), "it stays unknown");
    let id = sandbox.audiences().unwrap()[0].id.to_string();
    let typo = home.sync(&["--adopt", &format!("mails={id}")]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(stderr(&typo).contains("hint: it has email_hash"), "{}", stderr(&typo));
    let adopt = format!("email_hash={id}");
    let adopted = home.sync(&["--adopt", &adopt]);
    assert_eq!(adopted.status.code(), Some(0), "{}", stderr(&adopted));
    assert_eq!(members(&sandbox), digests(0..30));
    assert_eq!(
        home.sync(&["--adopt", &adopt]).status.code(),
        Some(0),
        "saying it twice does no harm"
    );
    let other = home.sync(&["--adopt", "email_hash=9999"]);
    assert_eq!(other.status.code(), Some(2), "{}", stderr(&other));
    assert!(stderr(&other).contains("it is known already"), "{}", stderr(&other));
    // Nobody is fooled into a second audience.
    let refused = home.sync(&["--create-again", "email_hash"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("is there"), "{}", stderr(&refused));
    assert_eq!(members(&sandbox), digests(0..30));
}

#[test]
fn a_persons_word_about_a_replacement_does_not_touch_the_live_audience() {
    let (home, sandbox) = first_night(30);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("create,when=before,cut".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(8));
    sandbox.clear_faults();
    let again = home.sync(&["--create-again", "email_hash"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(summary(&again)["audiences"][0]["action"], "replace");
    assert_eq!(members(&sandbox), digests(0..30));
}

#[test]
fn an_audience_that_somebody_deleted_is_made_again_once_a_person_says_so() {
    let (home, sandbox) = first_night(30);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let id = sandbox.audiences().unwrap()[0].id.to_string();
    // Somebody else, so that the store of the job does not know.
    let deleted = home.throng(&[
        "audience",
        "delete",
        &id,
        "--yes",
        "--state",
        "elsewhere",
        "--endpoint",
        &sandbox.endpoint(),
    ]);
    assert_eq!(deleted.status.code(), Some(0), "{}", stderr(&deleted));
    home.write("export.csv", &emails(0..33));
    let refused = home.sync(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--create-again email_hash"), "{}", stderr(&refused));
    let again = ["--create-again", "email_hash"];
    assert_eq!(home.sync(&[&again[..], &["--dry-run"]].concat()).status.code(), Some(0));
    assert!(sandbox.audiences().unwrap().is_empty());
    assert_eq!(home.sync(&[]).status.code(), Some(2), "the dry run has decided nothing");
    sandbox.push_fault("add,status=503".parse().unwrap());
    assert_eq!(home.sync(&again).status.code(), Some(7));
    sandbox.clear_faults();
    // The same command again, as a scheduler or a shell's history does: it is there by now.
    assert_eq!(home.sync(&again).status.code(), Some(2));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    assert_eq!(members(&sandbox), digests(0..33));
}

#[test]
fn one_audience_that_fails_does_not_hold_up_the_others() {
    let (home, sandbox) = first_night(40);
    home.two_audiences(&sandbox);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    // Somebody of the second opts out, and the first one's server is down for long.
    home.write("export.csv", &emails(0..45));
    home.write("opt_outs.txt", &(email(3) + "\n"));
    let first = sandbox.audiences().unwrap()[0].id.to_string();
    assert_eq!(sandbox.audiences().unwrap()[0].name, "First");
    sandbox.push_fault("add,first=5,status=503".parse().unwrap());
    // Each of its four parts is tried before the first is again, so that no fault is left for the second.
    let job = std::fs::read_to_string(home.path("nightly.toml")).unwrap();
    home.write("nightly.toml", &job.replace("retry-wait = \"1ms\"", "retry-wait = \"400ms\""));
    let night = home.sync(&["--replace"]);
    let record = summary(&night);
    assert_eq!(night.status.code(), Some(7), "{}", stderr(&night));
    assert!(record["error"].as_str().unwrap().contains("first"), "{record}");
    assert_eq!(record["audiences"][1]["entries_sent"], 44, "{record}");
    let wanted = digests((0..45).filter(|person| *person != 3));
    let of = |name: &str| {
        let audiences = sandbox.audiences().unwrap();
        let named = audiences.iter().filter(|audience| audience.name == name);
        named
            .map(|audience| sandbox.members(audience.id).unwrap().into_iter().collect())
            .collect::<Vec<BTreeSet<String>>>()
    };
    assert_eq!(
        of("Second"),
        vec![wanted.clone()],
        "it has taken its place, and the old one is deleted"
    );
    assert_eq!(of("First").len(), 2, "the old one of {first} stays until the new one is complete");
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    assert_eq!((of("First"), of("Second")), (vec![wanted.clone()], vec![wanted]));
}

#[test]
fn what_was_not_tried_does_not_take_the_place_of_what_is_complete() {
    let (home, sandbox) = first_night(40);
    home.two_audiences(&sandbox);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    // The new one of the first is complete; that of the second has the first of four parts.
    sandbox.push_fault("add,from=4,status=503".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(7));
    sandbox.clear_faults();
    let of_second = || {
        let audiences = sandbox.audiences().unwrap();
        let named = audiences.iter().filter(|audience| audience.name == "Second");
        named.map(|audience| audience.member_count).collect::<Vec<_>>()
    };
    assert_eq!(of_second(), [40, 10]);
    // The token is refused at the first, so that nothing is sent to the second.
    home.write("export.csv", &emails(0..41));
    sandbox.push_fault("add,first=1,status=403".parse().unwrap());
    let refused = home.sync(&[]);
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert_eq!(of_second(), [40, 10]);
    sandbox.clear_faults();
    let live = &summary(&home.sync(&["--dry-run"]))["audiences"][1]["held_before"];
    assert_eq!(*live, 40, "the old one is the live one");
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    assert_eq!(of_second(), [41]);
}

#[test]
fn a_replacement_that_is_given_up_leaves_no_audience_behind() {
    let (home, sandbox) = first_night(40);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(7));
    sandbox.clear_faults();
    assert_eq!(sandbox.audiences().unwrap().len(), 2);
    // Somebody of what was built so far opts out.
    let half: BTreeSet<String> =
        sandbox.members(sandbox.audiences().unwrap()[1].id).unwrap().into_iter().collect();
    let person =
        (0..40).find(|person| half.contains(&digest_hex(email(*person).as_bytes()))).unwrap();
    home.write("opt_outs.txt", &(email(person) + "\n"));
    let full = home.sync(&["--full"]);
    assert_eq!(full.status.code(), Some(0), "{}", stderr(&full));
    assert_eq!(members(&sandbox), digests((0..40).filter(|other| *other != person)));
}

#[test]
fn what_may_have_been_created_is_not_given_up_before_it_is_known() {
    let (home, sandbox) = first_night(40);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("create,when=after,cut".parse().unwrap());
    sandbox.push_fault("list,status=503".parse().unwrap());
    for flag in ["--replace", "--full"] {
        let unknown = home.sync(&[flag]);
        assert_eq!(unknown.status.code(), Some(8), "{flag}: {}", stderr(&unknown));
    }
    assert_eq!(sandbox.audiences().unwrap().len(), 2, "one was created without an answer");
    sandbox.clear_faults();
    let full = home.sync(&["--full"]);
    assert_eq!(full.status.code(), Some(0), "{}", stderr(&full));
    assert_eq!(sandbox.audiences().unwrap().len(), 1, "it was found, given up and deleted");
    assert_eq!(members(&sandbox), digests(0..40));
}

#[test]
fn opting_out_of_what_is_being_built_is_told() {
    let (home, sandbox) = first_night(40);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(7));
    sandbox.clear_faults();
    let built = sandbox.members(sandbox.audiences().unwrap()[1].id).unwrap();
    let person =
        (0..40).find(|person| built.contains(&digest_hex(email(*person).as_bytes()))).unwrap();
    home.write("opt_outs.txt", &(email(person) + "\n"));
    let completed = home.sync(&[]);
    assert_eq!(completed.status.code(), Some(0), "{}", stderr(&completed));
    assert!(stderr(&completed).contains("note: 1 have opted out of"), "{}", stderr(&completed));
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["must_go"], 1);
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(0));
    assert_eq!(members(&sandbox), digests((0..40).filter(|other| *other != person)));
}
