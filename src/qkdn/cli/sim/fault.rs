//! The kinds of faults of qkdn-simulation, as options of the command line and as XML.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, Error, FromArgMatches};

use crate::cli::Failure;
use crate::cli::filter::leaf;

/// One kind: an option, named as the container of the model.
struct Kind {
    name: &'static str,
    value: Value,
    help: &'static str,
}

/// What an option takes, and the leaf that it becomes.
enum Value {
    None,
    /// (leaf, name of the value)
    Required(&'static str, &'static str),
    Optional(&'static str, &'static str),
    /// Two leaves of one value `A:B`.
    Pair(&'static str, &'static str),
    /// A leaf, and the store that --peer names.
    Store(&'static str, &'static str),
}

use Value::{None as Bare, Optional, Pair, Required, Store};

const KINDS: &[Kind] = &[
    kind("qber", Required("target", "PERCENT"), "The QBER of the link is forced"),
    kind("loss", Required("loss", "DB"), "Extra loss of the quantum channel"),
    kind("fibre-cut", Bare, "No light arrives"),
    kind("eavesdropper", Required("fraction", "RATIO"), "This share of the pulses is intercepted and resent"),
    kind("misalignment", Required("error", "PERCENT"), "Detections in the wrong detector are added"),
    kind("detector-failure", Optional("detector", "NUMBER"), "A detector fails"),
    kind("dark-counts", Required("factor", "FACTOR"), "Dark counts grow"),
    kind("laser-fault", Optional("power-drop", "DB"), "The laser loses power, all of it without a value"),
    kind("synchronization-loss", Bare, "The clocks of the two modules lose each other"),
    kind("classical-channel-loss", Optional("ratio", "RATIO"), "The classical channel loses messages"),
    kind("temperature", Required("offset", "CELSIUS"), "Degrees are added"),
    kind("module-failure", Bare, "The QKD module fails"),
    kind("authentication-failure", Bare, "The peer cannot be authenticated"),
    kind("random-number-failure", Bare, "The random number generator fails its test"),
    kind("tamper", Bare, "The tamper contact opens"),
    kind("post-processing-failure", Optional("ratio", "RATIO"), "Key blocks are discarded after sifting"),
    kind("km-crash", Bare, "The KM stops"),
    kind("km-link-failure", Optional("channel", "NAME"), "A KM link carries nothing"),
    kind("relay-failure", Optional("ratio", "RATIO"), "Key relays fail"),
    kind("store-mismatch", Store("keys", "KEYS"), "Keys of a store vanish at this end; needs --peer"),
    kind("store-drain", Store("rate", "BIT/S"), "A store is emptied; needs --peer"),
    kind("switch-stuck", Optional("port", "PORT"), "The optical switch does not obey"),
    kind("port-failure", Required("port", "PORT"), "A port of the optical switch loses light"),
    kind("unexpected-cross-connect", Pair("input", "output"), "Somebody connects two ports by hand"),
    kind("relay-point-failure", Bare, "The quantum relay point fails"),
    kind("controller-crash", Bare, "The controller stops"),
    kind("clock-skew", Required("offset", "SECONDS"), "The clock of the device is wrong"),
    kind("agent-hang", Bare, "The agent does not answer, but keeps its sessions"),
    kind("flapping", Required("period", "SECONDS"), "The link goes down and up"),
    kind("alarm-storm", Required("rate", "ALARM/S"), "Alarms are raised and cleared in turn"),
];

/// Those whose container has a `ramp-time`.
const RAMPED: &[&str] = &["qber", "loss", "laser-fault", "temperature"];

const fn kind(name: &'static str, value: Value, help: &'static str) -> Kind {
    Kind { name, value, help }
}

/// A fault as it was asked for.
#[derive(Debug, Default)]
pub struct Fault {
    pub kind: &'static str,
    value: Option<String>,
    peer: Option<String>,
    ramp: Option<u32>,
    duration: Option<u32>,
}

impl clap::Args for Fault {
    fn augment_args(command: Command) -> Command {
        let options = KINDS.iter().map(|kind| {
            let option = Arg::new(kind.name).long(kind.name).help(kind.help).help_heading("Faults");
            match kind.value {
                Value::None => option.action(ArgAction::SetTrue),
                Required(_, name) | Store(_, name) => option.value_name(name).allow_negative_numbers(true),
                Optional(_, name) => {
                    option.value_name(name).num_args(0..=1).require_equals(true).default_missing_value("")
                }
                Pair(..) => option.value_name("INPUT:OUTPUT"),
            }
        });
        let seconds = |name: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name("SECONDS").value_parser(clap::value_parser!(u32)).help(help)
        };
        command
            .override_usage("qkdn sim fault <LINK|DEVICE|RESOURCE> <FAULT> [--duration SECONDS] [--ramp SECONDS]")
            .args(options)
            .group(ArgGroup::new("fault").args(KINDS.iter().map(|kind| kind.name)).required(true))
            .arg(seconds("ramp", "Let it grow over this time (qber, loss, laser-fault, temperature)"))
            .arg(seconds("duration", "It clears itself after this time"))
            .arg(Arg::new("peer").long("peer").value_name("KM").help("The KM at the other end of the store"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Fault {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Fault, Error> {
        let given = |kind: &&Kind| matches.value_source(kind.name) == Some(clap::parser::ValueSource::CommandLine);
        // The group holds that there is exactly one.
        let Some(kind) = KINDS.iter().find(given) else { return Ok(Fault::default()) };
        let value = match kind.value {
            Value::None => None,
            _ => matches.get_one::<String>(kind.name).filter(|value| !value.is_empty()).cloned(),
        };
        Ok(Fault {
            kind: kind.name,
            value,
            peer: matches.get_one::<String>("peer").cloned(),
            ramp: matches.get_one::<u32>("ramp").copied(),
            duration: matches.get_one::<u32>("duration").copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Fault::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Fault {
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// The content of `inject-fault` after its resource-id. `peer` is the resource-id of the KM that --peer named.
    pub fn xml(&self, peer: Option<&str>) -> Result<String, Failure> {
        let kind = KINDS.iter().find(|kind| kind.name == self.kind);
        let kind = kind.ok_or_else(|| Failure::usage("name one kind of fault; see: qkdn sim fault --help"))?;
        let mut inside = match (&kind.value, &self.value) {
            (Value::None, _) | (Optional(..), None) => String::new(),
            (Required(name, _) | Optional(name, _), Some(value)) => leaf(name, value),
            (Pair(first, second), Some(value)) => {
                let (one, other) = value
                    .split_once(':')
                    .ok_or_else(|| Failure::usage(format!("--{} {value}: INPUT:OUTPUT is wanted", kind.name)))?;
                leaf(first, one) + &leaf(second, other)
            }
            (Store(name, _), Some(value)) => {
                let peer = peer.ok_or_else(|| Failure::usage(format!("--{} needs --peer KM as well", kind.name)))?;
                leaf("peer-km-id", peer) + &leaf(name, value)
            }
            (Required(..) | Pair(..) | Store(..), None) => {
                return Err(Failure::usage(format!("--{} needs a value", kind.name)));
            }
        };
        if let Some(ramp) = self.ramp {
            if !RAMPED.contains(&kind.name) {
                let text = format!("--{} comes at once: --ramp goes with {}", kind.name, RAMPED.join(", "));
                return Err(Failure::usage(text));
            }
            inside.push_str(&leaf("ramp-time", &ramp.to_string()));
        }
        let duration = self.duration.map(|seconds| leaf("duration", &seconds.to_string())).unwrap_or_default();
        Ok(format!("<{0}>{inside}</{0}>{duration}", kind.name))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use manager::schema::device_schema;

    use super::*;
    use crate::cli::filter::{SIMULATION, element};

    #[derive(Parser, Debug)]
    struct Line {
        target: String,
        #[command(flatten)]
        fault: Fault,
    }

    fn fault(arguments: &str) -> Fault {
        Line::try_parse_from(["x", "l"].into_iter().chain(arguments.split(' '))).unwrap().fault
    }

    #[test]
    fn every_kind_of_the_model_is_an_option_and_what_it_becomes_is_valid() {
        Line::command().debug_assert();
        let schema = device_schema();
        let input = schema.find("/qkdn-simulation:inject-fault/input").unwrap();
        let containers = schema.children(Some(input)).iter().map(|node| schema.node(*node).name.to_string());
        let others = ["management-operation", "resource-id", "duration", "description"];
        let mut model: Vec<String> = containers.filter(|name| !others.contains(&name.as_str())).collect();
        let mut ours: Vec<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        model.sort();
        ours.sort();
        assert_eq!(ours, model);
        for kind in KINDS {
            let line = match kind.value {
                Value::None => format!("--{}", kind.name),
                Optional(_, "NAME" | "PORT") | Required(_, "PORT") => format!("--{}=p1", kind.name),
                Pair(..) => format!("--{}=p1:p2", kind.name),
                Optional(_, "RATIO") | Required(_, "RATIO") => format!("--{}=0.5", kind.name),
                _ => format!("--{}=7", kind.name),
            };
            let xml = fault(&format!("{line} --duration 9")).xml(Some("urn:qkdn:lab:km:b")).unwrap();
            let rpc = element("inject-fault", SIMULATION, &xml);
            let document = netconf::xml::Document::parse(&rpc, &netconf::xml::Limits::default()).unwrap();
            let read = netconf::yang::edit::read_operation(&schema, document.root());
            assert!(read.is_ok(), "{rpc}: {:?}", read.err());
        }
    }

    #[test]
    fn exactly_one_kind_is_taken_and_ramps_where_there_are_any() {
        for wrong in ["--qber 3 --loss 2", "--ramp 3", "--qber"] {
            let line = ["x", "l"].into_iter().chain(wrong.split(' '));
            assert!(Line::try_parse_from(line).is_err(), "{wrong}");
        }
        let ramped = fault("--loss 3.5 --ramp 10").xml(None).unwrap();
        assert_eq!(ramped, "<loss><loss>3.5</loss><ramp-time>10</ramp-time></loss>");
        assert_eq!(fault("--fibre-cut --ramp 10").xml(None).unwrap_err().code, Failure::USAGE);
        assert_eq!(fault("--store-drain 10").xml(None).unwrap_err().code, Failure::USAGE);
        assert_eq!(fault("--laser-fault").xml(None).unwrap(), "<laser-fault></laser-fault>");
    }
}
