//! The brain as a whole: sequences of inputs and what comes of them (Y.3804 clauses 10.1.1 and 10.3), as golden files in tests/golden.

mod effect;
mod memory;
mod property;
mod script;
mod world;

/// A test for each file, which is named as the test but for the hyphens.
macro_rules! golden {
    ($module:ident, $folder:literal: $($name:ident),+ $(,)?) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    super::script::play(&format!("{}/{}", $folder, stringify!($name).replace('_', "-")));
                }
            )+

            #[test]
            fn every_file_is_played() {
                let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join($folder);
                let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
                let mut files: Vec<String> = files.collect();
                files.sort();
                let mut played: Vec<String> =
                    [$(stringify!($name)),+].map(|name| format!("{}.jsonl", name.replace('_', "-"))).to_vec();
                played.sort();
                assert_eq!(files, played);
            }
        }
    };
}

golden!(link_failure, "y3804-10.1.1":
    eight_steps, diagnostic_skipped, two_links, backup_channel, port_fault, eavesdropping, over_before_decision,
    waits_for_controller, refused, restart, replayed, purged, switch_read_first,
);

golden!(configuration, "y3804-10.3":
    whole_network, inconsistencies, read_anew, unreachable, acknowledged, device_removed, restart, asked_for, old_events,
);
