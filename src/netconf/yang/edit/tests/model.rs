//! Random edits, held against a datastore of plain maps and vectors that knows nothing of trees.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::yang::ffi::Source;

const MODULE: Source = Source {
    name: "model",
    revision: None,
    text: "module model { yang-version 1.1; namespace urn:model; prefix m;
      container top {
        leaf plain { type string; }
        leaf usual { type string; default a; }
        container here { presence x; leaf in { type string; default b; } leaf-list tags { type string; } }
        container around { leaf one { type string; } leaf two { type string; default c; } }
        leaf-list set { type string; }
        leaf-list row { ordered-by user; type string; }
        list entry { key k; leaf k { type string; } leaf v { type string; }
          list turn { key k; ordered-by user; leaf k { type string; } leaf v { type string; } } }
        choice which {
          leaf short { type string; }
          container long { leaf part { type string; } }
          case pair { leaf left { type string; } leaf right { type string; } }
        } } }",
};

static SCHEMA: LazyLock<Arc<Schema>> =
    LazyLock::new(|| Schema::builder().standard().sources([MODULE]).module("model", None, &[]).build().unwrap());

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Leaf,
    Container { presence: bool },
    LeafList { user: bool },
    List { user: bool },
}
use Kind::*;

/// What the module says, once more by hand.
struct Definition {
    name: &'static str,
    kind: Kind,
    case: Option<&'static str>,
    inside: &'static [Definition],
}

const fn leaf(name: &'static str) -> Definition {
    Definition { name, kind: Leaf, case: None, inside: &[] }
}

const fn of(name: &'static str, kind: Kind, inside: &'static [Definition]) -> Definition {
    Definition { name, kind, case: None, inside }
}

const fn in_case(case: &'static str, definition: Definition) -> Definition {
    Definition { case: Some(case), ..definition }
}

const TOP: &[Definition] = &[
    leaf("plain"),
    leaf("usual"),
    of("here", Container { presence: true }, &[leaf("in"), of("tags", LeafList { user: false }, &[])]),
    of("around", Container { presence: false }, &[leaf("one"), leaf("two")]),
    of("set", LeafList { user: false }, &[]),
    of("row", LeafList { user: true }, &[]),
    of("entry", List { user: false }, &[leaf("v"), of("turn", List { user: true }, &[leaf("v")])]),
    in_case("short", leaf("short")),
    in_case("long", of("long", Container { presence: false }, &[leaf("part")])),
    in_case("pair", leaf("left")),
    in_case("pair", leaf("right")),
];

/// The datastore: what is set, and nothing of defaults.
type Map = BTreeMap<&'static str, Node>;

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Leaf(String),
    Container(Map),
    LeafList(Vec<String>),
    List(Vec<(String, Map)>),
}

/// One element of an edit.
struct Ask {
    of: &'static Definition,
    operation: Option<Operation>,
    /// The leaf's or entry's value, or the entry's key.
    value: String,
    insert: Option<(&'static str, String)>,
    inside: Vec<Ask>,
}

/// Applies `asks`; true if they set anything. The first error ends it.
fn apply(map: &mut Map, asks: &[Ask], inherited: Operation) -> Result<bool, ErrorTag> {
    let mut chosen = None;
    let mut any = false;
    for ask in asks {
        let operation = ask.operation.unwrap_or(inherited);
        let sets = one(map, ask, operation)?;
        any |= sets;
        if let (true, Some(case)) = (sets, ask.of.case)
            && *chosen.get_or_insert(case) != case
        {
            return Err(ErrorTag::BadElement);
        }
    }
    if let Some(chosen) = chosen {
        for other in TOP.iter().filter(|d| d.case.is_some_and(|case| case != chosen)) {
            map.remove(other.name);
        }
    }
    Ok(any)
}

fn one(map: &mut Map, ask: &Ask, operation: Operation) -> Result<bool, ErrorTag> {
    let name = ask.of.name;
    let there = match (map.get(name), ask.of.kind) {
        (Some(Node::LeafList(values)), _) => values.contains(&ask.value),
        (Some(Node::List(entries)), _) => entries.iter().any(|(key, _)| *key == ask.value),
        (found, _) => found.is_some(),
    };
    let is_container_for_others = ask.of.kind == Container { presence: false };
    match operation {
        Operation::Create if there => return Err(ErrorTag::DataExists),
        Operation::Delete if !there => return Err(ErrorTag::DataMissing),
        Operation::None if !there && !is_container_for_others => return Err(ErrorTag::DataMissing),
        Operation::Delete | Operation::Remove => {
            inside_removed(&ask.inside)?;
            match map.get_mut(name) {
                Some(Node::LeafList(values)) => values.retain(|value| *value != ask.value),
                Some(Node::List(entries)) => entries.retain(|(key, _)| *key != ask.value),
                _ => drop(map.remove(name)),
            }
            drop_empty(map, ask.of);
            return Ok(false);
        }
        _ => {}
    }
    let keeps = matches!(operation, Operation::Merge | Operation::None);
    let sets = operation != Operation::None;
    match ask.of.kind {
        Leaf => {
            if sets {
                map.insert(name, Node::Leaf(ask.value.clone()));
            }
            Ok(sets)
        }
        Container { presence } => {
            let mut inside = match map.get(name) {
                Some(Node::Container(inside)) if keeps => inside.clone(),
                _ => Map::new(),
            };
            let any = apply(&mut inside, &ask.inside, operation)?;
            map.insert(name, Node::Container(inside));
            drop_empty(map, ask.of);
            Ok(any || (presence && sets))
        }
        LeafList { user } => {
            let Node::LeafList(values) = map.entry(name).or_insert(Node::LeafList(Vec::new())) else { unreachable!() };
            if sets && (!there || ask.insert.is_some()) {
                let old = std::mem::take(values);
                *values = placed(old, |v| v, &ask.value, ask.value.clone(), &ask.insert)?;
            }
            if !user {
                values.sort();
            }
            drop_empty(map, ask.of);
            Ok(sets)
        }
        List { user } => {
            let Node::List(entries) = map.entry(name).or_insert(Node::List(Vec::new())) else { unreachable!() };
            let mut entry = Map::new();
            if let Some((_, old)) = entries.iter().find(|(key, _)| *key == ask.value)
                && keeps
            {
                entry = old.clone();
            }
            let any = apply(&mut entry, &ask.inside, operation)?;
            if there && ask.insert.is_none() {
                entries.iter_mut().filter(|(key, _)| *key == ask.value).for_each(|(_, inside)| *inside = entry.clone());
            } else {
                let old = std::mem::take(entries);
                *entries = placed(old, |(key, _)| key, &ask.value, (ask.value.clone(), entry), &ask.insert)?;
            }
            if !user {
                entries.sort_by(|a, b| a.0.cmp(&b.0));
            }
            Ok(any || sets)
        }
    }
}

fn placed<T>(
    mut all: Vec<T>,
    name: impl Fn(&T) -> &String,
    own: &String,
    new: T,
    insert: &Option<(&'static str, String)>,
) -> Result<Vec<T>, ErrorTag> {
    if let Some(("before" | "after", anchor)) = insert
        && anchor == own
        && let Some(at) = all.iter().position(|other| name(other) == own)
    {
        all[at] = new;
        return Ok(all);
    }
    all.retain(|other| name(other) != own);
    let beside = |anchor: &String| all.iter().position(|other| name(other) == anchor).ok_or(ErrorTag::BadAttribute);
    let at = match insert {
        Some(("first", _)) => 0,
        Some(("before", anchor)) => beside(anchor)?,
        Some(("after", anchor)) => beside(anchor)? + 1,
        _ => all.len(),
    };
    all.insert(at, new);
    Ok(all)
}

fn inside_removed(asks: &[Ask]) -> Result<(), ErrorTag> {
    for ask in asks {
        if !matches!(ask.operation, None | Some(Operation::Delete | Operation::Remove)) {
            return Err(ErrorTag::BadAttribute);
        }
        inside_removed(&ask.inside)?;
    }
    Ok(())
}

fn drop_empty(map: &mut Map, definition: &Definition) {
    let empty = match (map.get(definition.name), definition.kind) {
        (Some(Node::Container(inside)), Container { presence: false }) => inside.is_empty(),
        (Some(Node::LeafList(values)), _) => values.is_empty(),
        (Some(Node::List(entries)), _) => entries.is_empty(),
        _ => false,
    };
    if empty {
        map.remove(definition.name);
    }
}

fn map_xml(map: &Map, definitions: &[Definition]) -> String {
    let mut out = String::new();
    for Definition { name, inside, .. } in definitions {
        match map.get(name) {
            None => {}
            Some(Node::Leaf(value)) => out += &format!("<{name}>{value}</{name}>"),
            Some(Node::Container(content)) if content.is_empty() => out += &format!("<{name}/>"),
            Some(Node::Container(content)) => out += &format!("<{name}>{}</{name}>", map_xml(content, inside)),
            Some(Node::LeafList(values)) => values.iter().for_each(|v| out += &format!("<{name}>{v}</{name}>")),
            Some(Node::List(entries)) => {
                for (key, content) in entries {
                    out += &format!("<{name}><k>{key}</k>{}</{name}>", map_xml(content, inside));
                }
            }
        }
    }
    out
}

fn ask_xml(ask: &Ask) -> String {
    let name = ask.of.name;
    let mut attributes = String::new();
    if let Some(operation) = ask.operation {
        attributes += &format!(" nc:operation=\"{}\"", format!("{operation:?}").to_lowercase());
    }
    let is_list = matches!(ask.of.kind, List { .. });
    if let Some((place, anchor)) = &ask.insert {
        attributes += &format!(" yang:insert=\"{place}\"");
        match (*place, is_list) {
            ("before" | "after", true) => attributes += &format!(" yang:key=\"[k='{anchor}']\""),
            ("before" | "after", false) => attributes += &format!(" yang:value=\"{anchor}\""),
            _ => {}
        }
    }
    let key = if is_list { format!("<k>{}</k>", ask.value) } else { String::new() };
    let text = if matches!(ask.of.kind, Leaf | LeafList { .. }) { ask.value.as_str() } else { "" };
    let inside: String = ask.inside.iter().map(ask_xml).collect();
    format!("<{name}{attributes}>{key}{text}{inside}</{name}>")
}

/// Choices made from random bytes; zeros when there are no more, so that shorter is simpler.
struct Bytes<'b>(std::slice::Iter<'b, u8>);

impl Bytes<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |b| *b as usize % n)
    }

    fn name(&mut self) -> String {
        ["p", "q", "r", "s"][self.below(4)].to_owned()
    }

    fn asks(&mut self, definitions: &'static [Definition]) -> Vec<Ask> {
        let mut asks: Vec<Ask> = Vec::new();
        for _ in 0..self.below(5) {
            let of = &definitions[self.below(definitions.len())];
            let many = matches!(of.kind, LeafList { .. } | List { .. });
            if !many && asks.iter().any(|ask| std::ptr::eq(ask.of, of)) {
                continue;
            }
            use Operation::*;
            let operation = [
                Option::None,
                Option::None,
                Option::None,
                Some(Merge),
                Some(Replace),
                Some(Create),
                Some(Delete),
                Some(Remove),
            ][self.below(8)];
            let user = matches!(of.kind, LeafList { user: true } | List { user: true });
            let insert = match self.below(if user { 8 } else { 1 }) {
                place @ 1..=4 => Some((["first", "last", "before", "after"][place - 1], self.name())),
                _ => Option::None,
            };
            asks.push(Ask { of, operation, value: self.name(), insert, inside: self.asks_inside(of) });
        }
        asks
    }

    fn asks_inside(&mut self, of: &'static Definition) -> Vec<Ask> {
        if of.inside.is_empty() { Vec::new() } else { self.asks(of.inside) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// After each of many edits both hold the same, or both refused it for the same reason. What the journal writes of
    /// the difference brings the new version back.
    #[test]
    fn edits_do_what_a_plain_model_does(edits in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..12)) {
        let mut tree = Tree::initial(SCHEMA.clone());
        let mut model = Map::new();
        for bytes in &edits {
            let mut bytes = Bytes(bytes.iter());
            let default = [Operation::Merge, Operation::Merge, Operation::None, Operation::Replace][bytes.below(4)];
            let asks = bytes.asks(TOP);
            let config = format!("<top xmlns=\"urn:model\">{}</top>", asks.iter().map(ask_xml).collect::<String>());
            let before = (tree.clone(), show(&tree));
            let (new, errors) = super::apply(&tree, &config, default);
            // At the top, replace is of the whole datastore, and with it of <top>.
            let mut next = if default == Operation::Replace { Map::new() } else { model.clone() };
            match apply(&mut next, &asks, default) {
                Err(tag) => prop_assert_eq!(errors.first().map(|e| e.tag), Some(tag), "{}", config),
                Ok(_) => {
                    prop_assert!(errors.is_empty(), "{}: {:?}", config, errors);
                    prop_assert_eq!(&replay(&tree, &new), &new, "{}", config);
                    (tree, model) = (new, next);
                }
            }
            let expected = map_xml(&model, TOP);
            let expected = if expected.is_empty() { expected } else { format!("<top>{expected}</top>") };
            prop_assert_eq!(show(&tree).replace(" xmlns=\"urn:model\"", ""), expected, "{}", config);
            // Versions before are as they were.
            prop_assert_eq!(show(&before.0), before.1);
        }
    }
}
