//! `qkdn nacm`: which rule decides whether a user may do something (RFC 8341), by a running server or by a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use manager::northbound::northbound_schema;
use netconf::server::base_modules;
use netconf::server::nacm::{AccessOperation, Because, Explanation, Question, explain};
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_data;
use netconf::yang::{Schema, Tree, json};
use serde_json::{Value, json};

use super::Failure;
use super::client::Reach;
use super::table::{Output, Table};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-acm";
const NACM: &str = "ietf-netconf-acm:nacm";

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Tell which rule decides whether a user may do something
    Explain(Explain),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples: qkdn nacm explain ops update /qkdn-manager:devices/device[name='ab-rx']\n          \
    qkdn nacm explain ops exec /qkdn-manager:execute-operation --config nacm.json\n\
    The exit code tells whether there is an answer, whatever it is.")]
pub struct Explain {
    /// The user who would do it
    #[arg(id = "whom", value_name = "USER")]
    whom: String,
    /// exec is of RPCs and actions, notification of receiving one
    operation: Operation,
    /// With module names: /module:list[key='…']/leaf, /module:rpc or /module:notification
    path: String,
    /// A group in which the user is by the word of the transport (repeatable)
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// The rules of this file, in XML or JSON, instead of a server's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Modules that PATH and the rules speak of, where they are not the manager's (repeatable)
    #[arg(long = "module", value_name = "NAME[@REVISION][:FEATURE,…|:*]")]
    modules: Vec<String>,
    /// A directory with these modules (repeatable)
    #[arg(long = "yang-dir", value_name = "DIR", requires = "modules")]
    yang_dirs: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Operation {
    Read,
    Create,
    Update,
    Delete,
    Exec,
    Notification,
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let Command::Explain(asked) = command;
    let schema = match asked.modules.is_empty() {
        true => None,
        false => Some(
            crate::serve::compile(base_modules(Schema::builder()), &asked.yang_dirs, &asked.modules)
                .map_err(Failure::failed)?,
        ),
    };
    let rules = match &asked.config {
        Some(file) => {
            let ours = || northbound_schema().map_err(|error| Failure::failed(format!("the modules: {error}")));
            from_file(file, &schema.map_or_else(ours, Ok)?)?
        }
        None => {
            let client = reach.connect().await?;
            let schema = schema.unwrap_or_else(|| client.schema().clone());
            let rules = client.tree(&schema, &format!("<nacm xmlns=\"{NAMESPACE}\"/>")).await?;
            // It is never empty to those who may read it: it has counters.
            if rules.is_empty() {
                let text = format!("denied: {} may not read the rules. Be another user with --user.", client.user);
                return Err(Failure { code: Failure::DENIED, text });
            }
            rules
        }
    };
    let question = Question {
        user: &asked.whom,
        external_groups: &asked.groups,
        operation: asked.operation.access(),
        path: &asked.path,
    };
    let explanation = explain(&rules, &question).map_err(Failure::not_found)?;
    output.sections(&[(headline(&asked, &explanation), table(&explanation))], &answer(&asked, &explanation))
}

impl Operation {
    fn access(self) -> Option<AccessOperation> {
        Some(match self {
            Operation::Read => AccessOperation::Read,
            Operation::Create => AccessOperation::Create,
            Operation::Update => AccessOperation::Update,
            Operation::Delete => AccessOperation::Delete,
            Operation::Exec => AccessOperation::Exec,
            Operation::Notification => return None,
        })
    }

    fn as_str(self) -> &'static str {
        self.access().map_or("notification", AccessOperation::as_str)
    }
}

fn from_file(file: &Path, schema: &Arc<Schema>) -> Result<Tree, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    text.and_then(|text| rules(&text, schema)).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

/// The container nacm of a document, alone or with what stands around and beside it.
fn rules(text: &str, schema: &Arc<Schema>) -> Result<Tree, String> {
    let parsed = |text| Document::parse(text, &Limits::default()).map_err(|error| error.to_string());
    if text.trim_start().starts_with('<') {
        let document = parsed(text)?;
        let root = document.root();
        let found = if root.is(NAMESPACE, "nacm") { Some(root) } else { root.child(NAMESPACE, "nacm") };
        let found = found.ok_or_else(|| format!("there is no <nacm> of {NAMESPACE}"))?;
        let mut inside = b"<data>".to_vec();
        found.write(&mut inside);
        inside.extend_from_slice(b"</data>");
        let inside = String::from_utf8(inside).map_err(|error| error.to_string())?;
        return read_data(schema, parsed(&inside)?.root()).map_err(|errors| all(&errors));
    }
    let mut content: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let found = content.get_mut(NACM).map(Value::take).ok_or_else(|| format!("there is no \"{NACM}\""))?;
    json::read(schema, &json!({ NACM: found }).to_string()).map_err(|errors| all(&errors))
}

fn all(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn headline(asked: &Explain, explanation: &Explanation) -> String {
    let may = if explanation.decision.permit { "may" } else { "may not" };
    let what = match asked.operation {
        Operation::Notification => "receive",
        other => other.as_str(),
    };
    let groups = match &explanation.groups[..] {
        [] => "in no group".to_owned(),
        groups => format!("in {}", groups.join(", ")),
    };
    let above = match explanation.decision.because {
        Because::Ancestor(_) => format!("\nThe rules for reading {}:", explanation.at),
        _ => String::new(),
    };
    let because = &explanation.decision.because;
    format!("{} ({groups}) {may} {what} {}: {because}{above}", asked.whom, asked.path)
}

fn table(explanation: &Explanation) -> Table {
    let mut table = Table::new(&["RULE-LIST", "RULE", "FINDING"]);
    for looked in &explanation.looked {
        let rule = looked.rule.as_deref().unwrap_or("(all)");
        table.row(vec![looked.rule_list.to_string(), rule.to_owned(), looked.finding.as_str().to_owned()]);
    }
    table
}

fn answer(asked: &Explain, explanation: &Explanation) -> Value {
    let looked = explanation.looked.iter().map(|looked| {
        json!({
            "rule-list": &*looked.rule_list,
            "rule": looked.rule.as_deref(),
            "finding": looked.finding.as_str(),
        })
    });
    json!({
        "user": asked.whom,
        "group": explanation.groups,
        "operation": asked.operation.as_str(),
        "path": asked.path,
        "permit": explanation.decision.permit,
        "because": explanation.decision.because.to_string(),
        "looked-at": explanation.at,
        "looked": looked.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> Result<Explanation, String> {
        let rules = rules(text, &northbound_schema().unwrap())?;
        let question = Question {
            user: "ops",
            external_groups: &[],
            operation: Some(AccessOperation::Update),
            path: "/qkdn-manager:devices/device[name='a']/managed",
        };
        explain(&rules, &question)
    }

    #[test]
    fn rules_are_read_from_xml_and_json_with_other_data_beside_them() {
        let xml = format!(
            "<config><other xmlns=\"urn:other\"/><nacm xmlns=\"{NAMESPACE}\"><groups><group><name>g</name><user-name>ops</user-name>\
             </group></groups><rule-list><name>l</name><group>g</group><rule><name>r</name>\
             <path xmlns:m=\"urn:qkdn:yang:qkdn-manager\">/m:devices/m:device[m:name='a']</path><action>permit</action></rule>\
             </rule-list></nacm></config>"
        );
        let json = json!({"other:other": {}, NACM: {
            "groups": {"group": [{"name": "g", "user-name": ["ops"]}]},
            "rule-list": [{"name": "l", "group": ["g"], "rule": [
                {"name": "r", "path": "/qkdn-manager:devices/device[name='a']", "action": "permit"}]}]}});
        for text in [xml.clone(), json.to_string()] {
            let explanation = explained(&text).unwrap();
            let because = Because::Rule { rule_list: "l".into(), rule: "r".into() };
            assert_eq!((explanation.decision.permit, explanation.decision.because), (true, because), "{text}");
        }
        // A rule that cannot be read as a whole would be another rule.
        let foreign = xml.replace("urn:qkdn:yang:qkdn-manager", "urn:nobody");
        assert!(explained(&foreign).is_err());
        assert!(explained("{}").unwrap_err().contains("there is no"));
    }
}
