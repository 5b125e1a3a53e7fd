//! Every document in yang/examples is valid, and the same after a way through XML, JSON and Rust values.
//!
//! Named MODULE.KIND.xml or .json. `config` and `data` (configuration with state) hold top-level nodes, `rpc` and
//! `notif` one element with its input or content, `reply` the RPC's name around its output.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use netconf::xml::{Document, Limits};
use netconf::yang::ffi::data::Kind as Validated;
use netconf::yang::validate::Validator;
use netconf::yang::write::WithDefaults;
use netconf::yang::{Content, Inner, NodeId, Schema, Tree, edit, json, serde, write};
use tests::workspace::{self, File};

use crate::{MODULES, assert_none, schema_of};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Config,
    Data,
    Rpc,
    Reply,
    Notification,
}

struct Example {
    /// MODULE.KIND.
    name: String,
    file: String,
    kind: Kind,
    schema: Arc<Schema>,
    text: String,
    is_json: bool,
}

static EXAMPLES: LazyLock<Vec<Example>> =
    LazyLock::new(|| workspace::files("yang/examples/").iter().map(Example::of).collect());

/// Fails with every example that `check` finds a fault in.
fn check_all(check: impl Fn(&Example) -> Result<(), String>) {
    let fault = |example: &Example| check(example).err().map(|error| format!("{}: {error}", example.file));
    let found: Vec<String> = EXAMPLES.iter().filter_map(fault).collect();
    assert_none(&found, "correct the example, the model or the code:");
}

#[test]
fn every_module_has_an_example() {
    // Types alone have no instance.
    let lacking = MODULES.iter().filter(|module| *module != "qkdn-types");
    let lacking = lacking.filter(|module| !EXAMPLES.iter().any(|e| e.name.split('.').next() == Some(module)));
    assert_none(&lacking.cloned().collect::<Vec<_>>(), "write yang/examples/MODULE.KIND.xml for:");
}

#[test]
fn every_example_is_valid() {
    check_all(|example| {
        let tree = example.read()?;
        if tree.is_empty() {
            return Err("is empty".into());
        }
        example.validate(&tree)
    });
}

#[test]
fn every_example_survives_xml() {
    check_all(|example| {
        let tree = example.read()?;
        let text = example.write_xml(&tree);
        let again = example.read_xml(&text).map_err(|error| format!("{error} in what was written: {text}"))?;
        if tree == again || example.is_json { same_set(&tree, &again) } else { Err("differs in defaults".into()) }
    });
}

#[test]
fn every_example_survives_json() {
    check_all(|example| {
        let tree = example.read()?;
        let text = serde_json::to_string(&json::Json::new(&tree).without_defaults()).map_err(|e| e.to_string())?;
        let again = json::read(&example.schema, &text).map_err(|errors| lines(&errors))?;
        same_set(&tree, &again)
    });
}

#[test]
fn every_example_survives_rust_values() {
    check_all(|example| {
        let tree = example.read()?;
        let again = match example.operation(&tree) {
            None => {
                let value: serde_json::Value = serde::from_tree(&tree).map_err(|error| error.to_string())?;
                serde::to_tree(&example.schema, &value).map_err(|error| error.to_string())?
            }
            Some((node, inner)) => {
                let value: serde_json::Value =
                    serde::from_inner(&example.schema, node, inner).map_err(|error| error.to_string())?;
                let inner = serde::to_inner(&example.schema, node, &value).map_err(|error| error.to_string())?;
                example.operation_tree(node, inner)
            }
        };
        // What was in effect as a default is set afterwards.
        same_text(&json::write(&tree), &json::write(&again))
    });
}

#[test]
fn xml_and_json_of_one_name_are_the_same_data() {
    let mut by_name: BTreeMap<&str, Vec<&Example>> = BTreeMap::new();
    for example in EXAMPLES.iter() {
        by_name.entry(&example.name).or_default().push(example);
    }
    let pairs: Vec<_> = by_name.iter().filter(|(_, given)| given.len() == 2).collect();
    assert!(pairs.len() >= 3, "configuration and notifications are to be shown in both encodings");
    let mut wrong = Vec::new();
    for (name, pair) in pairs {
        let result = pair[0].read().and_then(|first| same_set(&first, &pair[1].read()?));
        wrong.extend(result.err().map(|error| format!("{name}: {error}")));
    }
    assert_none(&wrong, "bring both to the same data:");
}

/// The tests above can fail: an example with one fault is refused.
#[test]
fn a_damaged_example_is_refused() {
    let damages = [
        ("qkdn-mq.config", "<role>transmitter</role>", "<role>both</role>"),
        ("qkdn-mq.config", "<warning>4.5</warning>", "<warning>4.5</warning><warning>4</warning>"),
        ("qkdn-mq.config", "<active-channel>q1</active-channel>", "<active-channel>q3</active-channel>"),
        ("qkdn-mq.data", "<kind>types:qkd-module</kind>", ""),
        ("qkdn-mq.rpc", "<duration>2</duration>", "<duration>2 seconds</duration>"),
        ("qkdn-mq.reply", "<link-state>degraded</link-state>", "<link-state>fine</link-state>"),
        ("qkdn-alarms.notif", "qa:qber-threshold-exceeded", "perf:qber"),
    ];
    let mut wrong = Vec::new();
    for (name, from, to) in damages {
        let example = EXAMPLES.iter().find(|e| e.name == name && !e.is_json);
        let example = example.unwrap_or_else(|| panic!("no example {name}"));
        let text = example.text.replacen(from, to, 1);
        assert_ne!(text, example.text, "{name} has no {from}");
        if example.read_xml(&text).and_then(|tree| example.validate(&tree)).is_ok() {
            wrong.push(format!("{name} with {to} for {from}"));
        }
    }
    assert_none(&wrong, "the model accepts what it must not:");
}

impl Example {
    fn of(file: &File) -> Example {
        let base = file.name.rsplit('/').next().expect("a name has a last part");
        let parts: Vec<&str> = base.split('.').collect();
        let [module, kind, ending] = parts[..] else { panic!("{}: name it MODULE.KIND.xml or .json", file.name) };
        assert!(MODULES.iter().any(|own| own == module), "{}: there is no module {module}", file.name);
        let text = file.text();
        let mentioned = |name: &str| {
            let forms = [format!("urn:qkdn:yang:{name}\""), format!("\"{name}:"), format!("/{name}:")];
            forms.iter().any(|form| text.contains(form))
        };
        let needed: Vec<&str> = MODULES.iter().map(String::as_str).filter(|n| *n == module || mentioned(n)).collect();
        Example {
            name: format!("{module}.{kind}"),
            file: file.name.clone(),
            kind: match kind {
                "config" => Kind::Config,
                "data" => Kind::Data,
                "rpc" => Kind::Rpc,
                "reply" => Kind::Reply,
                "notif" => Kind::Notification,
                _ => panic!("{}: the kind is config, data, rpc, reply or notif", file.name),
            },
            schema: schema_of(&needed),
            is_json: match ending {
                "xml" => false,
                "json" => true,
                _ => panic!("{}: an example is .xml or .json", file.name),
            },
            text,
        }
    }

    fn read(&self) -> Result<Tree, String> {
        if self.is_json {
            json::read(&self.schema, &self.text).map_err(|errors| lines(&errors))
        } else {
            self.read_xml(&self.text)
        }
    }

    fn read_xml(&self, text: &str) -> Result<Tree, String> {
        let wrapped = format!("<data>{text}</data>");
        let document = Document::parse(&wrapped, &Limits::default()).map_err(|error| error.to_string())?;
        let only = || {
            let mut elements = document.root().children();
            match (elements.next(), elements.next()) {
                (Some(element), None) => Ok(element),
                _ => Err("holds other than one element".to_owned()),
            }
        };
        let read = match self.kind {
            Kind::Config => edit::read_config(&self.schema, document.root()),
            Kind::Data => edit::read_data(&self.schema, document.root()),
            Kind::Rpc | Kind::Notification => edit::read_operation(&self.schema, only()?),
            Kind::Reply => {
                let element = only()?;
                let module = self.schema.module_by_namespace(element.namespace());
                let operation = module.and_then(|module| self.schema.child(None, module, element.name()));
                let operation = operation.ok_or_else(|| format!("there is no RPC {}", element.name()))?;
                edit::read_output(&self.schema, operation, element)
            }
        };
        read.map_err(|errors| lines(&errors))
    }

    fn write_xml(&self, tree: &Tree) -> String {
        let mut out = Vec::new();
        match self.operation(tree) {
            None => write::write_subtree(&self.schema, tree.root(), WithDefaults::Explicit, &mut out),
            Some((node, inner)) => {
                let operation = self.operation_of(node);
                let name = &self.schema.node(operation).name;
                out.extend(format!("<{name} xmlns=\"{}\">", self.schema.module_of(operation).namespace).bytes());
                write::write_subtree(&self.schema, inner, WithDefaults::Explicit, &mut out);
                out.extend(format!("</{name}>").bytes());
            }
        }
        String::from_utf8(out).expect("XML is written as UTF-8")
    }

    fn validate(&self, tree: &Tree) -> Result<(), String> {
        let mut validator = Validator::new(self.schema.clone());
        let empty = Tree::initial(self.schema.clone());
        match self.kind {
            Kind::Config => validator.validate_all(tree).map(|_| ()),
            Kind::Data => Validator::validate_data(&self.schema, tree),
            Kind::Rpc => validator.validate_operation(tree, Validated::Rpc, &empty),
            Kind::Reply => validator.validate_operation(tree, Validated::Reply, &empty),
            Kind::Notification => validator.validate_operation(tree, Validated::Notification, &empty),
        }
        .map_err(|errors| lines(&errors))
    }

    /// The input, output or notification with its children; None for data.
    fn operation<'t>(&self, tree: &'t Tree) -> Option<(NodeId, &'t Inner)> {
        let inside = |inner: &'t Inner| {
            let child = inner.iter().next()?;
            match &child.content {
                Content::Container(below) => Some((child.node, below)),
                _ => None,
            }
        };
        match self.kind {
            Kind::Config | Kind::Data => None,
            Kind::Notification => inside(tree.root()),
            Kind::Rpc | Kind::Reply => inside(tree.root()).and_then(|(_, operation)| inside(operation)),
        }
    }

    /// The operation of an input or output; a notification is its own.
    fn operation_of(&self, node: NodeId) -> NodeId {
        match self.kind {
            Kind::Notification => node,
            _ => self.schema.node(node).parent.expect("an input or output has an operation"),
        }
    }

    fn operation_tree(&self, node: NodeId, inner: Inner) -> Tree {
        let mut root = Inner::default();
        root.set(node, Content::Container(inner), false);
        if self.kind != Kind::Notification {
            let around = std::mem::take(&mut root);
            root.set(self.operation_of(node), Content::Container(around), false);
        }
        Tree::with_root(self.schema.clone(), root)
    }
}

/// Equal in what is set.
fn same_set(a: &Tree, b: &Tree) -> Result<(), String> {
    let text = |tree| serde_json::to_string(&json::Json::new(tree).without_defaults()).map_err(|e| e.to_string());
    same_text(&text(a)?, &text(b)?)
}

/// The texts are equal; or where they part.
fn same_text(a: &str, b: &str) -> Result<(), String> {
    if a == b {
        return Ok(());
    }
    let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let bytes = &text.as_bytes()[at.saturating_sub(60)..text.len().min(at + 60)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    Err(format!("before …{}…, after …{}…", around(a), around(b)))
}

fn lines<E: std::fmt::Display>(errors: &[E]) -> String {
    errors.iter().map(E::to_string).collect::<Vec<_>>().join("; ")
}
