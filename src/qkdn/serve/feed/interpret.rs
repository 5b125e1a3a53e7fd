//! What a line of a feed means: a notification, or a change of the operational state. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use netconf::error::RpcError;
use netconf::server::provider::Event;
use netconf::yang::diff;
use netconf::yang::json;
use netconf::yang::serde::instance_path;
use netconf::yang::tree::{Content, Inner};
use netconf::yang::validate::NotificationValidator;
use netconf::yang::{NodeId, NodeKind, Schema, Tree};
use serde::de::IgnoredAny;

use super::state;

/// The forms of a line.
const FORMS: &str = r#"{"notification": {…}}, {"operational": {…}} or {"delete": "/…"}"#;

/// What is told of one line, at most: the first faults are what to mend, and a log line stays a line.
const FAULTS: usize = 5;

/// Characters of that, at most: a value at fault can be as long as a line.
const REASON: usize = 1000;

/// The server knows these better than any feed: state of its own, and the notifications of its subscriptions.
const SERVERS_OWN: [&str; 6] = [
    "ietf-netconf-acm",
    "ietf-netconf-monitoring",
    "ietf-subscribed-notifications",
    "ietf-yang-library",
    "ietf-yang-push",
    "nc-notifications",
];

/// The operational state that the lines have made so far.
pub struct Interpreter {
    schema: Arc<Schema>,
    state: Tree,
    validator: NotificationValidator,
}

impl Interpreter {
    pub fn new(schema: Arc<Schema>) -> Interpreter {
        let (state, validator) = (Tree::new(schema.clone()), NotificationValidator::new(schema.clone()));
        Interpreter { schema, state, validator }
    }

    pub fn state(&self) -> &Tree {
        &self.state
    }

    /// What is to be told, if anything: a notification, or what of [`Interpreter::state`] has changed. A line that is
    /// refused has changed nothing; the error says why, and what is wanted.
    pub fn take(&mut self, line: &str, running: &Tree) -> Result<Option<Event>, String> {
        self.interpret(line, running).map_err(|reason| one_line(&reason))
    }

    fn interpret(&mut self, line: &str, running: &Tree) -> Result<Option<Event>, String> {
        let (name, value) = member(line)?;
        match name.as_str() {
            "notification" => self.notification(value, running).map(Some),
            "operational" => {
                let given = self.read(value)?;
                self.check_state(given.root())?;
                Ok(self.change(state::merged(&self.state, &given)))
            }
            "delete" => self.delete(value),
            _ => Err(format!("there is no \"{name}\"; a line is {FORMS}")),
        }
    }

    fn notification(&mut self, value: &str, running: &Tree) -> Result<Event, String> {
        let tree = self.read(value)?;
        let node = self.notification_in(&tree)?;
        let checked = self.validator.validate(&tree, node, running, &self.state);
        checked.map_err(|errors| faults(errors.iter().map(place_and_reason)))?;
        Ok(Event::Notification(tree))
    }

    fn delete(&mut self, value: &str) -> Result<Option<Event>, String> {
        let text: String = serde_json::from_str(value)
            .map_err(|_| r#"what to delete is one string, the path: {"delete": "/module:list[key='a']/leaf"}"#)?;
        if text == "/" {
            return Ok(self.change(Tree::new(self.schema.clone())));
        }
        let path = instance_path(&self.schema, &text)
            .map_err(|error| format!("{error}; a path is /module:container/list[key='value']/leaf"))?;
        let last = path.last().map(|step| self.schema.node(step.node));
        if last.is_some_and(|node| node.is_key) {
            return Err(format!("{text} is a key; delete the entry"));
        }
        let left = state::without(&self.state, &path)
            .ok_or_else(|| format!("this feed has given nothing at {text}, so there is nothing to delete"))?;
        Ok(self.change(left))
    }

    fn change(&mut self, new: Tree) -> Option<Event> {
        let edits = diff::diff(&self.state, &new);
        self.state = new;
        (!edits.is_empty()).then(|| Event::Changed(edits.into_iter().map(|edit| edit.path).collect()))
    }

    fn read(&self, value: &str) -> Result<Tree, String> {
        let tree = json::read(&self.schema, value).map_err(|errors| {
            // A place in the value is none in the line.
            let without_place = |text: String| text.split(" at line 1 column ").next().unwrap_or_default().to_owned();
            faults(errors.iter().map(|error| without_place(error.to_string())))
        })?;
        for child in tree.root().iter() {
            let module = &self.schema.module_of(child.node).name;
            if SERVERS_OWN.contains(&module.as_str()) {
                return Err(format!("{}: the server tells of this itself; leave it out", self.schema.path(child.node)));
            }
        }
        Ok(tree)
    }

    /// The one notification of a tree, around which nothing stands but its ancestors and their keys.
    fn notification_in(&self, tree: &Tree) -> Result<NodeId, String> {
        let schema = &self.schema;
        let mut inner = tree.root();
        let mut above: Option<NodeId> = None;
        loop {
            let mut children = inner.iter().filter(|child| !schema.node(child.node).is_key);
            let Some(child) = children.next() else {
                let place = above.map_or_else(String::new, |above| format!(" in {}", schema.path(above)));
                return Err(format!(
                    "there is no notification{place}; it stands there by its name: {{\"notification\": {{\"module:name\": {{…}}}}}}"
                ));
            };
            let path = schema.path(child.node);
            if let Some(second) = children.next() {
                let second = schema.path(second.node);
                return Err(format!("{second} beside {path}: a line has one notification, and around it only keys"));
            }
            inner = match &child.content {
                _ if schema.node(child.node).kind == NodeKind::Notification => return Ok(child.node),
                Content::Container(inner) => inner,
                Content::List(list) => {
                    let mut entries = list.iter();
                    match (entries.next(), entries.next()) {
                        (Some((_, entry)), None) => entry,
                        _ => return Err(format!("{path}: a notification is in one entry of a list")),
                    }
                }
                _ => {
                    return Err(format!(
                        "{path} is data and no notification; state is given as {{\"operational\": {{…}}}}"
                    ));
                }
            };
            above = Some(child.node);
        }
    }

    /// Whether all of it can be state: no RPC, action or notification, and one case of each choice.
    fn check_state(&self, inner: &Inner) -> Result<(), String> {
        let schema = &self.schema;
        let mut chosen: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        for child in inner.iter() {
            let path = || schema.path(child.node);
            match schema.node(child.node).kind {
                NodeKind::Notification => {
                    return Err(format!("{} is a notification; give it as {{\"notification\": {{…}}}}", path()));
                }
                _ if !schema.node(child.node).is_data() => {
                    return Err(format!("{} is an operation, not state", path()));
                }
                _ => {}
            }
            for (choice, case) in schema.cases(child.node) {
                if *chosen.entry(choice).or_insert(case) != case {
                    let choice = &schema.node(choice).name;
                    return Err(format!("{}: another case of choice \"{choice}\" is given as well", path()));
                }
            }
            match &child.content {
                Content::Container(inner) => self.check_state(inner)?,
                Content::List(list) => list.iter().try_for_each(|(_, entry)| self.check_state(entry))?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The name and the text of the only member of an object.
fn member(line: &str) -> Result<(String, &str), String> {
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        format!("column {}: {reason}; a line is one JSON object, {FORMS}", error.column())
    })?;
    let [name] = &members.keys().collect::<Vec<_>>()[..] else {
        return Err(format!("an object with {} members; a line has one: {FORMS}", members.len()));
    };
    // The line is an object: what is between its braces is a string, a colon and a value.
    let inside = line.trim().strip_prefix('{').unwrap_or_default().trim_start();
    let mut strings = serde_json::Deserializer::from_str(inside).into_iter::<IgnoredAny>();
    let is_string = matches!(strings.next(), Some(Ok(_)));
    let value = inside[strings.byte_offset()..].trim_start().strip_prefix(':').and_then(|rest| rest.strip_suffix('}'));
    match value.filter(|_| is_string) {
        Some(value) => Ok(((*name).clone(), value.trim())),
        None => Err(format!("a line is one JSON object, {FORMS}")),
    }
}

/// As the reader of JSON tells of its own.
fn place_and_reason(error: &RpcError) -> String {
    match (&error.path, &error.message) {
        (Some(path), Some(message)) => format!("{}: {message}", path.text),
        _ => error.to_string(),
    }
}

fn one_line(reason: &str) -> String {
    let printed = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = reason.chars().take(REASON).map(printed).collect();
    if reason.chars().nth(REASON).is_some() {
        line.push('…');
    }
    line
}

fn faults(faults: impl ExactSizeIterator<Item = String>) -> String {
    let more = faults.len().saturating_sub(FAULTS);
    let mut text = faults.take(FAULTS).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}
