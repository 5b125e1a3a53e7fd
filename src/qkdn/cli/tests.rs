//! The command line as a whole: its options, and who takes them.

use std::path::Path;

use super::*;

fn given(line: &str) -> ArgMatches {
    crate::command().try_get_matches_from(line.split(' ')).unwrap()
}

#[test]
fn the_command_line_is_consistent() {
    crate::command().debug_assert();
}

#[test]
fn every_command_says_what_it_does_and_no_two_say_the_same() {
    let program = crate::command();
    let told: Vec<String> = program.get_subcommands().filter_map(|one| Some(one.get_about()?.to_string())).collect();
    let distinct: std::collections::BTreeSet<&String> = told.iter().collect();
    assert_eq!((told.len(), distinct.len()), (program.get_subcommands().count(), told.len()), "{told:?}");
}

#[test]
fn options_stand_before_a_command_after_it_or_below_it_and_the_nearest_counts() {
    for line in ["qkdn --dir a -o csv alarm list", "qkdn alarm --dir a -o csv list", "qkdn alarm list --dir a -o csv"] {
        let options = options(&given(line)).unwrap();
        assert_eq!(options.dir.as_deref(), Some(Path::new("a")), "{line}");
        assert_eq!(options.output, Some(Format::Csv), "{line}");
    }
    let options = options(&given("qkdn --dir a alarm list --dir b")).unwrap();
    assert_eq!(options.dir.as_deref(), Some(Path::new("b")));
}

#[test]
fn a_demo_has_a_directory_of_its_own() {
    assert!(refuse_options(&given("qkdn demo --dir a")).is_ok());
    assert!(refuse_options(&given("qkdn --dir a demo")).is_err(), "it would be ignored");
}
